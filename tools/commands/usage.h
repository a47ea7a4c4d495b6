#pragma once

#include <optional>

#include "cli/command_line.h"

namespace pwalk::tools {

/// Parses a command's arguments. An exit code when there is nothing to do
/// afterwards: help was printed, or the usage is wrong and a line said so.
/// `most` is how many plain arguments are allowed.
std::optional<int> parse_or_exit(CommandLine& command_line, int argc, const char* const* argv, std::size_t most);

}  // namespace pwalk::tools
