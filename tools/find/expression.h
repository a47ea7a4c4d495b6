#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "find/visit.h"
#include "pwalk/base/result.h"
#include "pwalk/schema/columns.h"

namespace pwalk::tools::find {

/// A find expression, ready to be asked of each entry.
struct Expression {
  Test test;
  schema::ColumnSet needs;  ///< columns that its tests and actions look at
  std::uint32_t min_depth = 0;
  std::uint32_t max_depth = ~std::uint32_t{0};

  /// It needs more of an entry than its name and type.
  bool needs_attributes() const;
};

/// What parsing depends on besides the words.
struct ExpressionSetting {
  std::int64_t now_ns = 0;  ///< what ages and dates such as yesterday are counted from
  /// The time (of the kind a, B, c or m) of the FILE of -newer: of a row of the image, or of
  /// a file of this machine.
  std::function<Result<std::int64_t>(const std::string& file, char kind)> time_of_file;
};

/// Parses the words behind the starting points: ( ) ! -a -o and the tests and
/// actions of find(1) that are listed in tools/FIND.md. Without an action, -print
/// is one. EINVAL: `what` is the whole line.
Result<Expression> parse_expression(const std::vector<std::string>& words, const ExpressionSetting& setting);

}  // namespace pwalk::tools::find
