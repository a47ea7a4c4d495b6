#pragma once

#include <cstdint>
#include <string_view>

#include "pwalk/base/result.h"

namespace pwalk::tools::find {

/// -perm: MODE exactly, -MODE all of its bits, /MODE any of them.
struct Permissions {
  enum class Wanted : std::uint8_t { exactly, all, any };
  Wanted wanted = Wanted::exactly;
  std::uint32_t bits = 0;            ///< of what is no directory
  std::uint32_t directory_bits = 0;  ///< differs with X

  bool has(std::uint32_t mode) const;
};

/// Octal, or symbolic as chmod(1) has it, counted from 0. EINVAL: `what` says what is allowed.
Result<Permissions> parse_permissions(std::string_view text);

}  // namespace pwalk::tools::find
