#pragma once

#include <cstdint>
#include <vector>

#include "pwalk/schema/entry.h"

namespace pwalk::schema {

/// The directory records of one batch, one array per field.
struct RecordColumns {
  /// What one record takes.
  static constexpr std::size_t kRowBytes = 2 + 8 + 8 + 1 + 4 + 1;

  std::vector<std::int16_t> directory;
  std::vector<std::uint64_t> entries, bytes;
  std::vector<std::uint8_t> flags, operation;
  std::vector<std::uint32_t> error;

  std::uint32_t size() const { return std::uint32_t(directory.size()); }

  void push_back(std::int16_t row, const DirectoryRecord& record) {
    directory.push_back(row);
    entries.push_back(record.entries);
    bytes.push_back(record.bytes);
    flags.push_back(record.flags);
    error.push_back(record.error);
    operation.push_back(std::uint8_t(record.operation));
  }

  void clear() {
    directory.clear();
    entries.clear();
    bytes.clear();
    flags.clear();
    error.clear();
    operation.clear();
  }
};

}  // namespace pwalk::schema
