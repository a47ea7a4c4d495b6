#include "commands/column_choice.h"

#include <fmt/format.h>

#include "text/escape.h"

namespace pwalk::tools {

Result<std::vector<OutputColumn>> ColumnChoice::chosen() const {
  if (!list) return std::vector<OutputColumn>{};
  auto columns = parse_output_columns(*list);
  if (!columns) return fail(EINVAL, fmt::format("--columns '{}': {}", escaped(*list), columns.error().what));
  return columns;
}

}  // namespace pwalk::tools
