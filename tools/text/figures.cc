#include "text/figures.h"

#include <fmt/format.h>

#include <array>

namespace pwalk::tools {
namespace {

/// Three significant digits with the largest unit that fits.
template <std::size_t N>
std::string scaled(double number, double step, const std::array<const char*, N>& units, const char* gap) {
  std::size_t unit = 0;
  for (; number >= step * 0.9995 && unit + 1 < N; ++unit) number /= step;
  const int decimals = unit == 0 || number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f}{}{}", number, decimals, gap, units[unit]);
}

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string counted(std::uint64_t number, const std::string& thing) {
  return grouped(number) + " " + thing + (number == 1 ? "" : "s");
}

std::string compact(double number) {
  return scaled(number, 1000, std::array<const char*, 5>{"", "k", "M", "G", "T"}, "");
}

std::string byte_text(std::uint64_t bytes) {
  return scaled(double(bytes), 1024, std::array<const char*, 7>{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}, " ");
}

std::string duration_text(double seconds) {
  if (seconds < 60) return fmt::format("{:.2f} s", seconds);
  const auto whole = std::uint64_t(seconds);
  const auto hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours == 0) return fmt::format("{}:{:02}", minutes, whole % 60);
  return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
}

}  // namespace pwalk::tools
