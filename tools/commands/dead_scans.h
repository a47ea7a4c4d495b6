#pragma once

#include <string>
#include <vector>

namespace pwalk::tools {

/// Removes what dead scans left in the user's runtime directory and says so in
/// one line on stderr. Every command begins with it. Returns their names.
std::vector<std::string> clear_dead_scans();

}  // namespace pwalk::tools
