#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "pwalk/base/result.h"

namespace pwalk::tools::find {

/// -regex: must match the whole path. libc's GNU matcher (regex(7), re_match(3)),
/// whose syntaxes are the ones -regextype names. Copies share it; one thread.
class PathRegex {
 public:
  /// EINVAL: what libc says of the pattern, or which types there are.
  static Result<PathRegex> compile(const std::string& pattern, const std::string& type, bool ignore_case);
  bool matches(std::string_view path) const;

  /// EINVAL unless `type` is one that compile() takes.
  static Result<void> check_type(const std::string& type);

 private:
  struct Compiled;
  std::shared_ptr<Compiled> compiled_;
};

}  // namespace pwalk::tools::find
