#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pwalk/base/result.h"

namespace pwalk::tools {

/// The unit that du and ls show sizes in.
struct BlockSize {
  std::uint64_t bytes = 1024;
  std::string suffix;  ///< behind every number: "M" when -B M was asked, nothing for -B 1M
  bool human = false;  ///< 4.0K, 12M: rounded up, in powers of 1024

  /// Rounded up to whole units.
  std::string text(std::uint64_t bytes) const;

  static BlockSize for_people() { return {1, {}, true}; }
};

/// `1024`, `K`, `1K`, `KB` (1000), `KiB`, up to E. EINVAL: `what` says what is allowed.
Result<BlockSize> parse_block_size(std::string_view text);

}  // namespace pwalk::tools
