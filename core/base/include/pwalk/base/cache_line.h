#pragma once

#include <cstddef>

namespace pwalk {

/// Unit of sharing between cores, and the alignment of every column (Arrow asks for 64).
inline constexpr std::size_t kCacheLine = 64;

/// Distance that keeps two hot words apart: x86 prefetches lines in pairs.
inline constexpr std::size_t kFalseSharingRange = 128;

constexpr std::size_t align_up(std::size_t value, std::size_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

}  // namespace pwalk
