#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "find/expression.h"

namespace pwalk::tools::find {

/// One test or action as parsed.
struct Primary {
  Test test;
  schema::ColumnSet needs;
  bool is_action = false;  ///< with one of these -print is no longer understood
};

/// What options before a primary have set for it.
struct PrimarySetting {
  const ExpressionSetting& outer;
  std::string regex_type = "emacs";
};

/// A kind of primary: how it is called and made.
struct PrimaryKind {
  std::string_view name;
  bool takes_value;
  /// EINVAL: `what` says what is allowed.
  Result<Primary> (*make)(const std::string& value, const PrimarySetting& setting);
};

/// nullptr: there is no such primary.
const PrimaryKind* primary_named(std::string_view name);

/// -newerXY, where X and Y may be many: made from the name itself. nullopt: `name` is none.
std::optional<Result<Primary>> newer_primary(std::string_view name, const std::string& value, const PrimarySetting& setting);

/// -print, when no action was given.
Primary print_primary();

}  // namespace pwalk::tools::find
