#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::tools {

/// Room that append_value() needs at most.
inline constexpr std::size_t kLongestValue = 24;

/// ColumnView::at() with the width known to the compiler: this runs for every
/// value that is printed.
inline std::uint64_t raw_value(const schema::ColumnView& column, std::uint32_t row) {
  const std::byte* from = column.values + (column.constant ? 0 : std::size_t(row) * column.width);
  switch (column.width) {
    case 1: return std::uint64_t(*from);
    case 4: {
      std::uint32_t value;
      std::memcpy(&value, from, 4);
      return value;
    }
    default: {
      std::uint64_t value;
      std::memcpy(&value, from, 8);
      return value;
    }
  }
}

inline bool is_known(const schema::ColumnView& column, std::uint32_t row) {
  return column && column.is_valid(row);
}

inline char* append_number(char* at, std::uint64_t value, int base = 10) {
  return std::to_chars(at, at + kLongestValue, value, base).ptr;
}

inline char* append_signed(char* at, std::uint64_t value) {
  return std::to_chars(at, at + kLongestValue, std::int64_t(value)).ptr;
}

/// "?" for a number that this version does not know.
inline std::string_view operation_name(std::uint64_t operation) {
  return operation < schema::kOperationNames.size() ? schema::kOperationNames[operation] : "?";
}

}  // namespace pwalk::tools
