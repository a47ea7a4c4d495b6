#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pwalk/schema/columns.h"
#include "schema/random_rows.h"

namespace pwalk::schema::testing {

/// A batch as its wire format has it, field by field, without any rule kept:
/// what a broken or hostile producer can write.
struct RawBatch {
  struct Column {
    std::uint8_t id = 0;
    bool constant = false;
    std::vector<std::uint8_t> values;
    std::uint32_t null_count = 0;
    std::optional<std::vector<std::uint8_t>> valid;
  };
  struct Text {
    std::uint8_t id = 0;
    std::vector<std::int32_t> offsets;
    std::string bytes;
    std::uint32_t null_count = 0;
    std::optional<std::vector<std::uint8_t>> valid;
  };
  struct Directories {
    std::vector<std::int32_t> prefix;
    std::vector<std::uint32_t> shared;
    std::vector<std::int32_t> suffix_offsets;
    std::string suffix_bytes;
    std::vector<std::uint64_t> inode;
  };
  struct Records {
    std::vector<std::int16_t> directory;
    std::vector<std::uint64_t> entries, bytes;
    std::vector<std::uint8_t> flags;
    std::vector<std::uint32_t> error;
    std::vector<std::uint8_t> operation;
  };

  std::uint16_t version = 2;
  std::uint32_t rows = 0;
  std::vector<Column> columns;
  std::vector<Text> texts;
  std::vector<std::int16_t> directory;
  std::vector<std::int32_t> name_offsets;
  std::string name_bytes;
  Directories directories;
  Records records;
  std::uint64_t content_hash = 0;

  std::string identifier = "PWB1";
  std::string
      misaligned;  ///< the vector that is put at a multiple of 8 only, "column 3" for a column's values
  bool without_records = false;  ///< leaves out a required table

  Column& column(schema::Column id);
  AlignedBytes write() const;
};

/// Four rows in three directories with a record, right in every respect:
/// `type`, `size` (with a null in row 2) and a constant `uid`.
RawBatch sound_batch();

}  // namespace pwalk::schema::testing
