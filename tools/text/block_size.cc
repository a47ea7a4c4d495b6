#include "text/block_size.h"

#include <charconv>

namespace pwalk::tools {
namespace {

constexpr std::string_view kPrefixes = "KMGTPE";

/// As `ls -h` and `du -h` do: one digit behind the point below ten, always upwards.
std::string human_text(std::uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes);
  std::size_t power = 0;
  std::uint64_t unit = 1;
  while (bytes / unit >= 1024) unit *= 1024, ++power;
  std::uint64_t whole = bytes / unit;
  const auto rest = static_cast<unsigned __int128>(bytes % unit);
  if (whole < 10) {
    auto tenths = std::uint64_t((rest * 10 + unit - 1) / unit);
    if (tenths == 10) ++whole, tenths = 0;
    if (whole < 10) return std::to_string(whole) + "." + std::to_string(tenths) + kPrefixes[power - 1];
  } else if (rest != 0) {
    ++whole;
  }
  if (whole == 1024 && power < kPrefixes.size()) return "1.0" + std::string(1, kPrefixes[power]);
  return std::to_string(whole) + kPrefixes[power - 1];
}

}  // namespace

std::string BlockSize::text(std::uint64_t amount) const {
  if (human) return human_text(amount);
  return std::to_string(amount / bytes + (amount % bytes != 0)) + suffix;
}

Result<BlockSize> parse_block_size(std::string_view text) {
  const auto refused = fail(EINVAL, "allowed are sizes such as 512, K, 1M and MB (powers of 1000)");
  BlockSize size;
  size.bytes = 1;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), size.bytes);
  const std::string_view unit = text.substr(std::size_t(stop - text.data()));
  const bool numbered = unit.size() < text.size();
  if (size.bytes == 0 || (numbered && error != std::errc{})) return refused;
  if (!numbered) size.suffix = unit;
  if (unit.empty()) return numbered ? Result<BlockSize>(size) : refused;
  const auto power = kPrefixes.find(unit[0] >= 'a' ? char(unit[0] - 32) : unit[0]);
  const std::string_view rest = unit.substr(1);
  if (power == std::string_view::npos || (!rest.empty() && rest != "B" && rest != "iB")) return refused;
  const std::uint64_t base = rest == "B" ? 1000 : 1024;
  for (std::size_t i = 0; i <= power; ++i)
    if (__builtin_mul_overflow(size.bytes, base, &size.bytes)) return refused;
  if (base == 1000 && !numbered && unit[0] == 'K') size.suffix = "kB";
  return size;
}

}  // namespace pwalk::tools
