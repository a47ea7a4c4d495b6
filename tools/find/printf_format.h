#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "find/visit.h"
#include "pwalk/base/result.h"
#include "pwalk/schema/columns.h"

namespace pwalk::tools::find {

/// The format of -printf: text, escapes and directives, taken apart once.
class PrintfFormat {
 public:
  /// EINVAL: `what` says which directive or escape is wrong. What find warns of and
  /// prints as it is, is an error here: a typing error should not look like data.
  static Result<PrintfFormat> parse(std::string_view format);

  void append(Visit& visit, std::string& out) const;

  /// Columns that its directives show.
  schema::ColumnSet needs() const;

 private:
  struct Piece {
    std::string text;        ///< literal, if directive is 0
    std::string conversion;  ///< "%-10" : flags, width and precision
    char directive = 0;
    char time_part = 0;      ///< behind A B C T
  };
  static Result<void> parse_directive(std::string_view& rest, Piece& piece);
  static Result<bool> parse_escape(std::string_view& rest, std::string& text);
  std::vector<Piece> pieces_;
};

}  // namespace pwalk::tools::find
