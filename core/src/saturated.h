#pragma once

#include <cstdint>
#include <limits>

namespace pwalk {

/// a + b, or 2^64 - 1. A single sparse file may claim 2^63 - 1 bytes.
constexpr std::uint64_t saturated_sum(std::uint64_t a, std::uint64_t b) {
  return a > std::numeric_limits<std::uint64_t>::max() - b ? std::numeric_limits<std::uint64_t>::max() : a + b;
}

}  // namespace pwalk
