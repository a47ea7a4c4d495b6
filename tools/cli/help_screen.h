#pragma once

#include <string>

#include "cli/command_line.h"

namespace pwalk::tools {

/// `-h`: fits a screen of 80 columns. Flags that are listed by name only share a
/// paragraph; long explanations lose what stands in brackets or after a semicolon.
std::string brief_help(const CommandLine& command_line);

/// `--help-all`: every flag with its whole explanation, default and range.
std::string full_help(const CommandLine& command_line);

}  // namespace pwalk::tools
