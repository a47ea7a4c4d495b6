#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "pwalk/base/result.h"

namespace pwalk {

/// Whether a file that is built beside `file` may be renamed to it at the end: what is there must be a regular
/// file, or nothing. Asked before the work, since rename(2) refuses a directory only after it, and would replace
/// /dev/null. Errors: EISDIR; EINVAL, a device, a FIFO or a socket.
inline Result<void> check_replaceable(const std::string& file) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0 || S_ISREG(facts.st_mode)) return {};
  return fail(S_ISDIR(facts.st_mode) ? EISDIR : EINVAL, "'" + file + "' is there, and only a regular file is replaced");
}

}  // namespace pwalk
