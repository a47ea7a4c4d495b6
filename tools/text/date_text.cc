#include "text/date_text.h"

#include <array>
#include <charconv>
#include <cstring>
#include <ctime>
#include <optional>

namespace pwalk::tools {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kHalfYear = 31'556'952 / 2;  // of the Gregorian average, as ls has it

tl::unexpected<Error> refused() {
  return fail(EINVAL, "allowed are dates such as 2024-05-31, '2024-05-31 18:00:00', 2024-05-31T18:00:00Z, @1717174800, "
                      "now, today, yesterday and '3 days ago'");
}

/// Takes text apart from the front.
class Scan {
 public:
  explicit Scan(std::string_view text) : rest_(text) {}
  bool take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_word(std::string_view word) {
    if (rest_.substr(0, word.size()) != word) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  /// Digits; at least `least` of them, at most `most`.
  std::optional<std::int64_t> number(std::size_t least, std::size_t most) {
    std::size_t digits = 0;
    std::int64_t value = 0;
    for (; digits < most && digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9'; ++digits)
      value = value * 10 + (rest_[digits] - '0');
    if (digits < least) return std::nullopt;
    rest_.remove_prefix(digits);
    return value;
  }
  /// What stands behind a decimal point, as nanoseconds.
  std::optional<std::int64_t> fraction() {
    const std::string_view before = rest_;
    const auto value = number(1, 9);
    if (!value) return std::nullopt;
    std::int64_t scaled = *value;
    for (auto digits = before.size() - rest_.size(); digits < 9; ++digits) scaled *= 10;
    while (number(1, 18)) continue;
    return scaled;
  }
  void skip_blanks() {
    while (take(' ')) continue;
  }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::optional<std::int64_t> scaled(std::int64_t seconds, std::int64_t nanoseconds) {
  std::int64_t ns = 0;
  if (__builtin_mul_overflow(seconds, kSecond, &ns) || __builtin_add_overflow(ns, nanoseconds, &ns)) return std::nullopt;
  return ns;
}

/// HH:MM, HH:MM:SS or HH:MM:SS.fraction.
bool take_clock(Scan& scan, std::tm& parts, std::int64_t& nanoseconds) {
  const auto hour = scan.number(1, 2);
  if (!hour || *hour > 23 || !scan.take(':')) return false;
  const auto minute = scan.number(2, 2);
  if (!minute || *minute > 59) return false;
  parts.tm_hour = int(*hour);
  parts.tm_min = int(*minute);
  if (!scan.take(':')) return true;
  const auto second = scan.number(2, 2);
  if (!second || *second > 60) return false;
  parts.tm_sec = int(*second);
  if (!scan.take('.') && !scan.take(',')) return true;
  const auto fraction = scan.fraction();
  nanoseconds = fraction.value_or(0);
  return fraction.has_value();
}

/// Z, UTC, +HH:MM or +HHMM: seconds east of Greenwich. False: none is there.
bool take_zone(Scan& scan, std::int64_t& east) {
  scan.skip_blanks();
  if (scan.take('Z') || scan.take_word("UTC")) return true;
  const bool plus = scan.take('+');
  if (!plus && !scan.take('-')) return false;
  const auto hours = scan.number(2, 2);
  scan.take(':');
  const auto minutes = scan.number(0, 2);
  east = (plus ? 1 : -1) * (hours.value_or(0) * 3600 + minutes.value_or(0) * 60);
  return true;
}

std::optional<std::int64_t> calendar_date(std::string_view text) {
  Scan scan(text);
  const auto year = scan.number(4, 4);
  if (!year || !scan.take('-')) return std::nullopt;
  const auto month = scan.number(1, 2);
  if (!month || *month < 1 || *month > 12 || !scan.take('-')) return std::nullopt;
  const auto day = scan.number(1, 2);
  if (!day || *day < 1 || *day > 31) return std::nullopt;
  std::tm parts{};
  parts.tm_year = int(*year) - 1900;
  parts.tm_mon = int(*month) - 1;
  parts.tm_mday = int(*day);
  parts.tm_isdst = -1;
  std::int64_t nanoseconds = 0, east = 0;
  bool zone = false;
  if (!scan.done()) {
    if (!scan.take('T')) scan.skip_blanks();
    if (!take_clock(scan, parts, nanoseconds)) return std::nullopt;
    zone = take_zone(scan, east);
  }
  if (!scan.done()) return std::nullopt;
  std::tm normal = parts;
  const std::int64_t seconds = zone ? ::timegm(&normal) - east : ::mktime(&normal);
  if (normal.tm_mday != parts.tm_mday) return std::nullopt;  // there is no 31st of February
  return scaled(seconds, nanoseconds);
}

std::optional<std::int64_t> epoch_seconds(std::string_view text) {
  Scan scan(text);
  if (!scan.take('@')) return std::nullopt;
  const bool minus = scan.take('-');
  const auto seconds = scan.number(1, 12);
  if (!seconds) return std::nullopt;
  std::int64_t nanoseconds = 0;
  if (scan.take('.')) nanoseconds = scan.fraction().value_or(0);
  if (!scan.done()) return std::nullopt;
  const auto ns = scaled(*seconds, nanoseconds);
  return ns && minus ? std::optional(-*ns) : ns;
}

/// "3 days ago".
std::optional<std::int64_t> span_ago(std::string_view text, std::int64_t now_ns) {
  struct Unit {
    std::string_view name;
    std::int64_t seconds;
  };
  static constexpr std::array<Unit, 5> kUnits{
      {{"second", 1}, {"minute", 60}, {"hour", 3600}, {"day", kDay}, {"week", 7 * kDay}}};
  Scan scan(text);
  const auto count = scan.number(1, 9);
  if (!count) return std::nullopt;
  scan.skip_blanks();
  for (const Unit& unit : kUnits) {
    if (!scan.take_word(unit.name)) continue;
    scan.take('s');
    scan.skip_blanks();
    if (!scan.take_word("ago") || !scan.done()) return std::nullopt;
    const auto span = scaled(*count * unit.seconds, 0);
    return span ? std::optional(now_ns - *span) : std::nullopt;
  }
  return std::nullopt;
}

std::tm local_parts(std::int64_t seconds) {
  const std::time_t when = seconds;
  std::tm parts{};
  ::localtime_r(&when, &parts);
  return parts;
}

}  // namespace

SplitTime split_time(std::int64_t ns) {
  SplitTime split{ns / kSecond, ns % kSecond};
  if (split.nanoseconds < 0) --split.seconds, split.nanoseconds += kSecond;
  return split;
}

Result<std::int64_t> parse_date(std::string_view text, std::int64_t now_ns) {
  if (text == "now" || text == "today") return now_ns;
  if (text == "yesterday") return now_ns - kDay * kSecond;
  for (const auto found : {calendar_date(text), epoch_seconds(text), span_ago(text, now_ns)})
    if (found) return *found;
  return refused();
}

std::string format_time(std::int64_t ns, const char* format) {
  if (*format == '\0') return {};
  const std::tm parts = local_parts(split_time(ns).seconds);
  std::string text(64, '\0');
  // 0 may also mean an empty result (%p in some locales), so growing ends somewhere.
  for (;;) {
    const std::size_t length = std::strftime(text.data(), text.size(), format, &parts);
    if (length != 0 || text.size() > 4096) {
      text.resize(length);
      return text;
    }
    text.resize(text.size() * 2);
  }
}

std::string listing_time(std::int64_t ns, std::int64_t now_ns) {
  const std::int64_t when = split_time(ns).seconds, now = split_time(now_ns).seconds;
  const bool recent = when > now - kHalfYear && when <= now;
  return format_time(ns, recent ? "%b %e %H:%M" : "%b %e  %Y");
}

}  // namespace pwalk::tools
