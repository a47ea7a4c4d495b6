#include "find/number_range.h"

#include <algorithm>
#include <charconv>

namespace pwalk::tools::find {
namespace {

using Sense = NumberRange::Sense;

/// Where ages stop being told apart: 285 years, near what int64 nanoseconds hold.
constexpr double kMostAgeSeconds = 9e9;

Sense take_sense(std::string_view& text) {
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return Sense::exactly;
  const Sense sense = text[0] == '+' ? Sense::above : Sense::below;
  text.remove_prefix(1);
  return sense;
}

template <class T>
bool parse_whole(std::string_view text, T& into) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, into);
  return error == std::errc{} && stop == end;
}

std::int64_t saturating_subtract(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  if (!__builtin_sub_overflow(a, b, &difference)) return difference;
  return b > 0 ? INT64_MIN : INT64_MAX;
}

}  // namespace

Result<NumberRange> parse_number_range(std::string_view text) {
  NumberRange range;
  range.sense = take_sense(text);
  if (!parse_whole(text, range.number)) return fail(EINVAL, "allowed are N, +N (more) and -N (less)");
  return range;
}

Result<SizeRange> parse_size_range(std::string_view text) {
  SizeRange range;
  range.units.sense = take_sense(text);
  const char suffix = text.empty() ? '\0' : text.back();
  switch (suffix) {
    case 'c': range.unit_bytes = 1; break;
    case 'w': range.unit_bytes = 2; break;
    case 'b': range.unit_bytes = 512; break;
    case 'k': range.unit_bytes = std::uint64_t{1} << 10; break;
    case 'M': range.unit_bytes = std::uint64_t{1} << 20; break;
    case 'G': range.unit_bytes = std::uint64_t{1} << 30; break;
    default: break;
  }
  if (!text.empty() && (suffix < '0' || suffix > '9')) text.remove_suffix(1);
  const bool known = (suffix >= '0' && suffix <= '9') || std::string_view("cwbkMG").find(suffix) != std::string_view::npos;
  if (!known || !parse_whole(text, range.units.number))
    return fail(EINVAL, "allowed are N, +N and -N with one of c w b k M G behind");
  return range;
}

Result<AgeRange> parse_age_range(std::string_view text, AgeRange::Unit unit) {
  AgeRange range;
  range.unit = unit;
  range.sense = take_sense(text);
  double number = 0;
  if (!parse_whole(text, number) || !(number >= 0))
    return fail(EINVAL, "allowed are N, +N (longer ago) and -N (less long ago)");
  const double seconds = number * (unit == AgeRange::Unit::day ? 86'400 : 60);
  range.age_ns = std::int64_t(std::min(seconds, kMostAgeSeconds) * 1e9);
  return range;
}

bool AgeRange::has(std::int64_t time_ns, std::int64_t now_ns) const {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t window = (unit == Unit::day ? 86'400 : 60) * kSecond;
  const std::int64_t age = saturating_subtract(now_ns, time_ns);
  const std::int64_t grace = unit == Unit::day ? kSecond : 0;
  switch (sense) {
    case Sense::below: return age < age_ns + grace;
    case Sense::above: return age > age_ns + (unit == Unit::day ? window : 0);
    default: break;
  }
  // A day's window lies behind its number, a minute's before it.
  const std::int64_t from = unit == Unit::day ? age_ns : age_ns - window;
  return age >= from && age < from + window;
}

}  // namespace pwalk::tools::find
