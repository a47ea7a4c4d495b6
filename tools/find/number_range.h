#pragma once

#include <cstdint>
#include <string_view>

#include "pwalk/base/result.h"

namespace pwalk::tools::find {

/// find's N, +N and -N.
struct NumberRange {
  enum class Sense : std::uint8_t { exactly, above, below };
  Sense sense = Sense::exactly;
  std::uint64_t number = 0;

  bool has(std::uint64_t value) const {
    return sense == Sense::exactly ? value == number : sense == Sense::above ? value > number : value < number;
  }
};

/// EINVAL: `what` says what is allowed.
Result<NumberRange> parse_number_range(std::string_view text);

/// -size: a range of whole units, rounded up.
struct SizeRange {
  NumberRange units;
  std::uint64_t unit_bytes = 512;

  bool has(std::uint64_t bytes) const { return units.has(bytes / unit_bytes + (bytes % unit_bytes != 0)); }
};
Result<SizeRange> parse_size_range(std::string_view text);

/// -mtime, -mmin and their kin: ages in days or minutes, fractions allowed.
struct AgeRange {
  enum class Unit : std::uint8_t { day, minute };
  NumberRange::Sense sense = NumberRange::Sense::exactly;
  std::int64_t age_ns = 0;  ///< N units
  Unit unit = Unit::day;

  /// Days count whole: age 1.9 days is 1. Minutes round up: age 0.1 minutes is 1.
  /// GNU find gives -mtime -N a second of grace, and so does this.
  bool has(std::int64_t time_ns, std::int64_t now_ns) const;
};
Result<AgeRange> parse_age_range(std::string_view text, AgeRange::Unit unit);

}  // namespace pwalk::tools::find
