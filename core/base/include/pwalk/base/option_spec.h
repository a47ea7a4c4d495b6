#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "pwalk/base/option_value.h"

namespace pwalk {

/// The one definition of an option. From tuples of these come the command line,
/// Python's Config, the man page and the completions; defaults are those of a
/// default-constructed Struct.
template <class Struct, class Value>
struct OptionSpec {
  using value_type = Value;

  constexpr OptionSpec(std::string_view name, Value Struct::* member, std::string_view value_name,
                       std::string_view help, double least = 0,
                       double most = std::numeric_limits<double>::infinity())
      : name(name),
        member(member),
        value_name(value_name),
        help(help),
        least(least),
        most(most) {}

  std::string_view name;        ///< as typed, without the leading dashes: "max-depth"
  Value Struct::* member;       ///< where the value goes
  std::string_view value_name;  ///< "SIZE", "N", ...; empty for a switch
  std::string_view help;        ///< one line
  double least;                 ///< smallest allowed number (bytes, seconds or count)
  double most;                  ///< largest allowed number
};

}  // namespace pwalk
