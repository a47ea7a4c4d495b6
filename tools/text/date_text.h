#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pwalk/base/result.h"

/// Times as people write and read them, in the local time zone.
namespace pwalk::tools {

/// Nanoseconds since 1970 of: `YYYY-MM-DD`, with ` HH:MM`, ` HH:MM:SS` or
/// ` HH:MM:SS.fraction` (a T instead of the blank will do), with `Z` or `+HH:MM`; `@SECONDS`;
/// `now`, `today`, `yesterday`, `N seconds|minutes|hours|days|weeks ago` counted from
/// `now_ns`. EINVAL: `what` says what is allowed.
Result<std::int64_t> parse_date(std::string_view text, std::int64_t now_ns);

/// strftime(3) of a time.
std::string format_time(std::int64_t ns, const char* format);

/// As `ls -l` shows it: "Nov 23 16:30", or "Nov 23  2001" if it is further than half
/// a year before `now_ns`, or after it.
std::string listing_time(std::int64_t ns, std::int64_t now_ns);

/// Whole seconds, rounded down, and what is left of them: 0 to 999999999.
struct SplitTime {
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
};
SplitTime split_time(std::int64_t ns);

}  // namespace pwalk::tools
