#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace pwalk {

/// The names that one getdents64 call delivered: where each lies in the buffer,
/// and of each what can be compared many names at a time. Borrows the buffer.
/// One thread; keeps its memory between fills.
class NameBlock {
 public:
  /// Arrays end on a multiple of this, so that no kernel needs a remainder loop;
  /// the slots after the last name have length -1, which no test admits.
  static constexpr std::size_t kStride = 64;

  /// Starts over on another buffer.
  void reset(std::span<const char> bytes);

  /// Adds the name of `length` bytes at `begin` of the buffer. Ascending, not overlapping.
  void add(std::uint32_t begin, std::uint32_t length);

  std::size_t size() const { return size_; }
  std::string_view name(std::size_t i) const {
    return {bytes_.data() + begins_[i], std::size_t(lengths_[i])};
  }
  std::span<const char> bytes() const { return bytes_; }
  std::uint32_t begin(std::size_t i) const { return begins_[i]; }

  /// The first eight bytes, zeros behind a shorter name; as loaded on this machine.
  const std::uint64_t* heads() const { return heads_.data(); }
  /// The last eight bytes, zeros before a shorter name.
  const std::uint64_t* tails() const { return tails_.data(); }
  const std::int64_t* lengths() const { return lengths_.data(); }
  std::size_t padded_size() const { return lengths_.size(); }

 private:
  void grow();

  std::span<const char> bytes_;
  std::size_t size_ = 0;
  std::vector<std::uint32_t> begins_;
  std::vector<std::uint64_t> heads_, tails_;
  std::vector<std::int64_t> lengths_;
};

/// Eight bytes of a name or a pattern as one number; the first byte in the lowest
/// eight bits, as a little-endian machine loads them.
inline constexpr std::size_t kKeyBytes = 8;
std::uint64_t head_key(std::string_view name);
std::uint64_t tail_key(std::string_view name);

}  // namespace pwalk
