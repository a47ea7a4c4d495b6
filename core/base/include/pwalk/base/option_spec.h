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

  constexpr OptionSpec(std::string_view its_name, Value Struct::* its_member, std::string_view its_value_name,
                       std::string_view its_help, double at_least = 0,
                       double at_most = std::numeric_limits<double>::infinity())
      : name(its_name),
        member(its_member),
        value_name(its_value_name),
        help(its_help),
        least(at_least),
        most(at_most) {}

  std::string_view name;        ///< as typed, without the leading dashes: "max-depth"
  Value Struct::* member;       ///< where the value goes
  std::string_view value_name;  ///< "SIZE", "N", ...; empty for a switch
  std::string_view help;        ///< one line
  double least;                 ///< smallest allowed number (bytes, seconds or count)
  double most;                  ///< largest allowed number
};

}  // namespace pwalk
