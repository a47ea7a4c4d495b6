#pragma once

#include <cstddef>

namespace pwalk::image {

/// From so many rows on a directory's names are indexed. Below, comparing them one by one costs
/// less than a page of the index would; who looks up names does as well to know.
inline constexpr std::size_t kLargeDirectory = 256;

}  // namespace pwalk::image
