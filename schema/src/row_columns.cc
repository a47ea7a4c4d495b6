#include "row_columns.h"

#include <algorithm>

#include "pwalk/base/cache_line.h"

namespace pwalk::schema {
namespace {

/// Columns start this much further than a power of two would put them: at equal
/// distances all of them would compete for the same few sets of the cache.
constexpr std::size_t kStagger = 3 * kCacheLine;

std::size_t column_bytes(const ColumnSpec& spec, std::uint32_t capacity) {
  return align_up(capacity * width_of(spec.element), kCacheLine) + kStagger;
}

}  // namespace

RowColumns::RowColumns(ColumnSet columns, std::uint32_t capacity)
    : columns_(columns - ColumnSet::texts()), has_opt_in_(!(columns_ & ColumnSet::opt_in()).empty()) {
  std::size_t total = 0;
  for (const ColumnSpec& spec : kColumns) total += column_bytes(spec, capacity);
  memory_ = std::make_unique_for_overwrite<std::byte[]>(total);
  std::byte* next = memory_.get();
  for (const ColumnSpec& spec : kColumns) {
    values_[std::size_t(spec.id)] = next;
    next += column_bytes(spec, capacity);
  }
}

ColumnSet RowColumns::compare_with_first(const Entry& entry) const {
  ColumnSet differing;
  for_each_field([&](auto column, auto member) {
    if (entry.*member != first_.*member) differing.insert(kColumns[column].id);
  });
  return (differing & columns_) - varying_;
}

void RowColumns::start_with(const Entry& entry) {
  first_ = entry;
  first_words_ = words_of(entry);
  constant_mask_.fill(0);
  mask(columns_, 0xff);
}

void RowColumns::mask(ColumnSet columns, std::uint8_t byte) {
  for_each_field([&](auto column, auto member) {
    if (!columns.has(kColumns[column].id)) return;
    const auto offset = reinterpret_cast<const std::byte*>(&(first_.*member)) -
                        reinterpret_cast<const std::byte*>(&first_) - std::ptrdiff_t(kFirstFieldByte);
    std::memset(reinterpret_cast<std::byte*>(constant_mask_.data()) + offset, byte,
                sizeof(FieldType<column>));
  });
}

const std::uint8_t* RowColumns::bitmap_of(Column column, std::uint32_t rows, std::uint32_t& null_count) {
  std::vector<std::uint8_t>& bitmap = bitmaps_[std::size_t(column)];
  bitmap.assign((rows + 7) / 8, 0xff);
  if (rows % 8 != 0) bitmap.back() = std::uint8_t((1U << rows % 8) - 1);
  for (const Null& null : nulls_) {
    if (!null.columns.has(column)) continue;
    bitmap[null.row / 8] &= std::uint8_t(~(1U << null.row % 8));
    ++null_count;
  }
  return bitmap.data();
}

std::array<ColumnView, kColumnCount> RowColumns::views(std::uint32_t rows) {
  std::array<ColumnView, kColumnCount> views;
  for (const ColumnSpec& spec : kColumns) {
    if (!columns_.has(spec.id)) continue;
    ColumnView& view = views[std::size_t(spec.id)];
    view.values = values_[std::size_t(spec.id)];
    view.width = std::uint32_t(width_of(spec.element));
    view.constant = rows > 0 && !varying_.has(spec.id);
    if (with_nulls_.has(spec.id)) view.valid = bitmap_of(spec.id, rows, view.null_count);
  }
  return views;
}

void RowColumns::clear() {
  varying_ = with_nulls_ = ColumnSet{};
  nulls_.clear();
}

}  // namespace pwalk::schema
