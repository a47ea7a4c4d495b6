#include "directory_coder.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "row_hasher.h"

namespace pwalk::schema {
namespace {

/// Length of the common prefix, eight bytes at a time: the lowest byte that differs
/// is the first one in memory on a little-endian machine.
std::size_t common_prefix(std::string_view a, std::string_view b) {
  static_assert(std::endian::native == std::endian::little);
  const std::size_t limit = std::min(a.size(), b.size());
  std::size_t i = 0;
  for (; i + 8 <= limit; i += 8) {
    std::uint64_t from_a, from_b;
    std::memcpy(&from_a, a.data() + i, 8);
    std::memcpy(&from_b, b.data() + i, 8);
    if (from_a != from_b) return i + std::size_t(std::countr_zero(from_a ^ from_b)) / 8;
  }
  while (i < limit && a[i] == b[i]) ++i;
  return i;
}

}  // namespace

void DirectoryCoder::begin(std::string_view path, std::uint64_t inode) {
  path_shared_ = common_prefix(path, last_path_);
  path_.assign(path);
  inode_ = inode;
}

std::int32_t DirectoryCoder::owner_of_last_shared_byte() const {
  if (path_shared_ == 0) return -1;
  auto row = std::int32_t(rows()) - 1;
  while (path_shared_ <= shared_[std::size_t(row)]) row = prefix_[std::size_t(row)];
  return row;
}

std::int16_t DirectoryCoder::commit() {
  const auto row = std::int16_t(rows());
  prefix_.push_back(owner_of_last_shared_byte());
  shared_.push_back(std::uint32_t(path_shared_));
  suffix_bytes_.append(path_, path_shared_);
  suffix_offsets_.push_back(std::int32_t(suffix_bytes_.size()));
  inodes_.push_back(inode_);
  path_hashes_.push_back(hash_directory_path(path_));
  last_path_.swap(path_);
  return row;
}

void DirectoryCoder::clear() {
  prefix_.clear();
  shared_.clear();
  suffix_offsets_.resize(1);
  suffix_bytes_.clear();
  inodes_.clear();
  path_hashes_.clear();
  last_path_.clear();
  path_shared_ = 0;
}

}  // namespace pwalk::schema
