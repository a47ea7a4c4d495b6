#pragma once

#include <optional>
#include <string>

/// Which programs a preloaded library reaches.
namespace pwalk::run {

/// The file that execvp(3) would start for `command`; nullopt: there is none.
std::optional<std::string> find_program(const std::string& command);

/// Why the dynamic loader would not preload a library into this program, as half a
/// sentence ("is statically linked"); nullopt: it would, or the kernel will say itself
/// what is wrong with the file. Scripts are as good as their interpreter.
std::optional<std::string> why_not_preloadable(const std::string& program);

}  // namespace pwalk::run
