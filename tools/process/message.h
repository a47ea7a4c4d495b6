#pragma once

#include <string>
#include <string_view>

namespace pwalk::tools {

/// Exit codes of both programs.
enum ExitCode : int {
  kComplete = 0,    ///< complete
  kWithErrors = 1,  ///< complete, but something could not be read or stat'ed
  kUsage = 2,       ///< wrong usage; nothing was started
  kCutShort = 3,    ///< could not start, or was cut short
};

/// One line on stderr, `program: text`, in one write. `text` must be safe to show
/// already, but for line breaks: they become spaces.
void say(std::string_view program, std::string_view text);

/// Writes all of `bytes`; gives up on an error, since there is nobody to tell.
void write_all(int fd, std::string_view bytes);

}  // namespace pwalk::tools
