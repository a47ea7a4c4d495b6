#include "row_difference.h"

namespace pwalk::publish {
namespace {

using schema::Column;
using schema::ColumnSet;

constexpr ColumnSet kNotCompared{Column::atime, Column::mount_id, Column::depth, Column::device};

/// Everything else in `flags` says what the entry is. Where a link leads is no fact of its own.
constexpr std::uint32_t kComparedFlags = ~std::uint32_t{schema::kLazy | schema::kToDirectory};

bool differs_in(const EntryRef& before, const EntryRef& after, Column column) {
  if (before.has(column) != after.has(column)) return true;
  if (column == Column::flags) return ((before.flags() ^ after.flags()) & kComparedFlags) != 0;
  if (schema::is_text(column)) return before.text(column) != after.text(column);
  return before.get<std::uint64_t>(column) != after.get<std::uint64_t>(column);
}

}  // namespace

ColumnSet compared_columns(ColumnSet before, ColumnSet after) {
  return (before & after) - kNotCompared;
}

bool differs(const EntryRef& before, const EntryRef& after, ColumnSet columns) {
  for (const Column column : columns)
    if (differs_in(before, after, column)) return true;
  return false;
}

}  // namespace pwalk::publish
