#include "name_block.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace pwalk {
namespace {

std::uint64_t load(const char* bytes) {
  std::uint64_t key;
  std::memcpy(&key, bytes, sizeof key);
  if constexpr (std::endian::native == std::endian::big) key = __builtin_bswap64(key);
  return key;
}

}  // namespace

std::uint64_t head_key(std::string_view name) {
  if (name.size() >= kKeyBytes) return load(name.data());
  char padded[kKeyBytes] = {};
  std::copy(name.begin(), name.end(), padded);
  return load(padded);
}

std::uint64_t tail_key(std::string_view name) {
  if (name.size() >= kKeyBytes) return load(name.data() + name.size() - kKeyBytes);
  return name.empty() ? 0 : head_key(name) << 8 * (kKeyBytes - name.size());
}

void NameBlock::reset(std::span<const char> bytes) {
  bytes_ = bytes;
  std::fill_n(lengths_.begin(), size_, -1);
  size_ = 0;
}

void NameBlock::add(std::uint32_t begin, std::uint32_t length) {
  if (size_ == lengths_.size()) grow();
  const char* first = bytes_.data() + begin;
  std::uint64_t head, tail;
  if (length >= kKeyBytes) {
    head = load(first);
    tail = load(first + length - kKeyBytes);
  } else if (length > 0 && begin + kKeyBytes <= bytes_.size()) {
    // What follows a short name is read too, and shifted out: eight bytes are one load.
    const unsigned spare = 8 * unsigned(kKeyBytes - length);
    tail = load(first) << spare;
    head = tail >> spare;
  } else {
    head = head_key({first, length});
    tail = tail_key({first, length});
  }
  begins_[size_] = begin;
  heads_[size_] = head;
  tails_[size_] = tail;
  lengths_[size_++] = length;
}

void NameBlock::grow() {
  const std::size_t capacity = std::max(kStride, lengths_.size() * 2);
  begins_.resize(capacity);
  heads_.resize(capacity);
  tails_.resize(capacity);
  lengths_.resize(capacity, -1);
}

}  // namespace pwalk
