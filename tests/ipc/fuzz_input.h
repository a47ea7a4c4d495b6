#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace pwalk::ipc::testing {

/// What must hold whatever the input is: a fuzzer sees the trap.
inline void demand(bool holds) {
  if (!holds) __builtin_trap();
}

/// Draws decisions and values from a fuzzer's bytes; zeros once they are used up.
class FuzzInput {
 public:
  explicit FuzzInput(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const std::uint8_t first = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return first;
  }
  /// Less than `count`, which is at most 256.
  std::uint32_t below(std::uint32_t count) { return byte() % count; }
  bool flip() { return byte() % 2 != 0; }
  std::uint32_t two_bytes() {
    const std::uint32_t low = byte();
    return low | std::uint32_t(byte()) << 8;
  }
  std::span<const std::uint8_t> take(std::size_t count) {
    const auto taken = bytes_.first(std::min(count, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }
  /// A value of the kinds that matter where positions, lengths and packed words are expected.
  std::uint64_t word() {
    switch (below(5)) {
      case 0: return byte();
      case 1: return two_bytes();
      case 2: return (std::uint64_t{1} << (byte() % 64)) + std::uint64_t(std::int64_t(std::int8_t(byte())));
      case 3: return std::uint64_t(two_bytes()) << 32 | two_bytes();
      default: {
        std::uint64_t all = 0;
        for (int i = 0; i < 8; ++i) all = all << 8 | byte();
        return all;
      }
    }
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace pwalk::ipc::testing
