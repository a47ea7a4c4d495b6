#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::schema {

/// The rows of one batch before they are serialised, or as they stand in a
/// checked batch: what the hash and the writer work on. Borrows everything.
struct BatchContent {
  std::uint32_t rows = 0;
  std::span<const ColumnView> columns;  ///< kColumnCount of them; absent ones without values
  std::span<const TextView> texts;      ///< kTextColumnCount of them; absent ones without offsets
  std::span<const std::int32_t> name_offsets;
  std::string_view name_bytes;
  std::span<const std::int16_t> directory;

  const ColumnView& column(Column column) const { return columns[std::size_t(column)]; }
};

/// Sum of the sizes of the regular files, saturated; 0 where `type` or `size` was not fetched.
std::uint64_t sum_file_sizes(const BatchContent& content);

}  // namespace pwalk::schema
