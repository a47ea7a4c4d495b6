#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

namespace pwalk {

/// Why a setup step failed: an errno and one line for people.
/// Failures on *entries* are never Errors; they are data (rows and directory
/// records). An Error means that the thing asked for could not be had at all.
struct Error {
  int code = 0;      ///< errno
  std::string what;  ///< what was being done, e.g. "cannot open '/nfs/home'"

  /// "cannot open '/nfs/home': Permission denied"
  std::string message() const { return what + ": " + std::generic_category().message(code); }
};

/// A value or an Error (std::expected is C++23).
template <class T>
using Result = tl::expected<T, Error>;

/// Makes the failing side of any Result.
inline tl::unexpected<Error> fail(int code, std::string what) {
  return tl::unexpected<Error>(Error{code, std::move(what)});
}

/// Makes the failing side from errno; call it before anything that may change errno.
inline tl::unexpected<Error> fail_errno(std::string what) { return fail(errno, std::move(what)); }

}  // namespace pwalk
