#pragma once

#include <xxhash.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

/// The hashes of the format; FORMAT.md, "Checksums".
namespace pwalk::image {

inline std::uint64_t checksum(std::span<const std::byte> bytes, std::uint64_t offset) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), offset);
}

inline std::uint64_t path_hash(std::string_view directory, std::uint64_t seed) {
  return XXH3_64bits_withSeed(directory.data(), directory.size(), seed);
}

inline std::uint32_t name_hash(std::string_view name, std::uint64_t seed) {
  return std::uint32_t(XXH3_64bits_withSeed(name.data(), name.size(), seed));
}

/// The checksum of something that is written piece by piece.
class RunningChecksum {
 public:
  explicit RunningChecksum(std::uint64_t offset) : state_(XXH3_createState()) {
    XXH3_64bits_reset_withSeed(state_.get(), offset);
  }
  void add(std::span<const std::byte> bytes) { XXH3_64bits_update(state_.get(), bytes.data(), bytes.size()); }
  std::uint64_t value() const { return XXH3_64bits_digest(state_.get()); }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

}  // namespace pwalk::image
