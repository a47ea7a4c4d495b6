#pragma once

namespace pwalk::tools {

/// True when the process runs with another user's or group's rights than its
/// caller's (setuid, setgid). File capabilities are no such thing:
/// CAP_DAC_READ_SEARCH is a fine way to scan as a service.
bool runs_setuid();

}  // namespace pwalk::tools
