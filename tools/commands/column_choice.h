#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "formats/output_column.h"
#include "pwalk/base/option_spec.h"

namespace pwalk::tools {

/// What commands that write rows with columns let the user choose.
struct ColumnChoice {
  std::optional<std::string> list;

  /// In the order in which they were given; empty: nothing was chosen, so what the format does by
  /// itself. EINVAL with the line to print.
  Result<std::vector<OutputColumn>> chosen() const;
};

inline constexpr std::tuple kColumnSpecs{
    OptionSpec{"columns", &ColumnChoice::list, "LIST", "these columns of csv, jsonl, arrow and parquet (comma-separated)"},
};

}  // namespace pwalk::tools
