#include "text/utf8.h"

#include <cstdint>
#include <cstring>

namespace pwalk::tools {
namespace {

struct Lead {
  std::size_t length;
  char32_t bits;
  char32_t least;  ///< smallest code point that needs this many bytes
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {1, byte, 0};
  if (byte >= 0xC2 && byte < 0xE0) return {2, byte & 0x1Fu, 0x80};
  if (byte >= 0xE0 && byte < 0xF0) return {3, byte & 0x0Fu, 0x800};
  if (byte >= 0xF0 && byte < 0xF5) return {4, byte & 0x07u, 0x10000};
  return {0, 0, 0};
}

/// Number of leading ASCII bytes, at least; whole words of eight.
std::size_t ascii_prefix(std::string_view bytes) {
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + at, 8);
    if (word & 0x8080808080808080u) break;
  }
  return at;
}

}  // namespace

Utf8Step decode_utf8(std::string_view bytes) {
  const auto [length, bits, least] = lead_of(static_cast<unsigned char>(bytes[0]));
  if (length == 0 || bytes.size() < length) return {};
  char32_t point = bits;
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if ((byte & 0xC0) != 0x80) return {};
    point = point << 6 | (byte & 0x3Fu);
  }
  const bool surrogate = point >= 0xD800 && point < 0xE000;
  if (point < least || surrogate || point > 0x10FFFF) return {};
  return {point, length};
}

bool is_utf8(std::string_view bytes) {
  bytes.remove_prefix(ascii_prefix(bytes));
  while (!bytes.empty()) {
    const Utf8Step step = decode_utf8(bytes);
    if (step.length == 0) return false;
    bytes.remove_prefix(step.length);
  }
  return true;
}

bool is_unsafe_to_show(char32_t point) {
  const bool control = point < 0x20 || (point >= 0x7F && point < 0xA0);
  const bool redirects = point == 0x061C || point == 0x200E || point == 0x200F ||
                         (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
  return control || redirects;
}

}  // namespace pwalk::tools
