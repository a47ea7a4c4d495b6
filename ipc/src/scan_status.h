#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pwalk/ipc/scan_directory.h"

namespace pwalk::ipc {

/// A scan's status as JSON of at most kMostStatusBytes less the header. Texts that
/// are bytes (roots, labels) travel as one code point per byte, so that any name
/// comes back as it was. Roots and consumers that do not fit are left out.
std::string print_status(const ScanStatus& status);

/// Reads it back; whatever is missing or of another type keeps its default.
/// nullopt: not JSON, or not an object.
std::optional<ScanStatus> parse_status(std::string_view text);

}  // namespace pwalk::ipc
