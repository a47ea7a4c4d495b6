#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstddef>
#include <span>

#include "batch_content.h"
#include "directory_coder.h"
#include "entry_batch_generated.h"
#include "record_columns.h"

namespace pwalk::schema {

/// `version` of the batches written and read here. 2: opt-in and text columns.
inline constexpr std::uint16_t kBatchVersion = 2;

/// Serialises batches, into one buffer that it keeps.
class BatchWriter {
 public:
  /// Most that the tables, the ends of the batch and one vector beyond its
  /// elements (length field, alignment) can take; `columns` of them are stored.
  static constexpr std::size_t kVectorOverhead = 4 + 63;
  static constexpr std::size_t overhead(std::size_t columns) {
    constexpr std::size_t kTables = 392, kColumnTable = 32, kOtherVectors = 16;
    return kTables + columns * (kColumnTable + kVectorOverhead) + kOtherVectors * kVectorOverhead;
  }

  explicit BatchWriter(std::size_t expected_bytes) : buffer_(expected_bytes) {}

  /// The finished batch; valid until the next call.
  std::span<const std::byte> write(const BatchContent& content, const DirectoryCoder& directories,
                                   const RecordColumns& records, std::uint64_t content_hash);

 private:
  template <class T>
  flatbuffers::Offset<flatbuffers::Vector<T>> vector_of(const T* elements, std::size_t count);
  template <class Container>
  auto vector_of(const Container& elements) {
    return vector_of(elements.data(), elements.size());
  }
  using Bytes = flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>>;
  Bytes bytes_of(std::string_view bytes);
  /// Null without nulls.
  Bytes bitmap(const std::uint8_t* valid, std::uint32_t nulls, std::uint32_t rows);

  /// A column's vectors are written; its table is not.
  struct Column {
    std::uint8_t id = 0;
    bool constant = false;
    Bytes values;
    std::uint32_t null_count = 0;
    Bytes valid;
  };
  struct Text {
    std::uint8_t id = 0;
    flatbuffers::Offset<flatbuffers::Vector<std::int32_t>> offsets;
    Bytes bytes;
    std::uint32_t null_count = 0;
    Bytes valid;
  };
  Column column(std::size_t id, const ColumnView& view, std::uint32_t rows);
  Text text(std::size_t id, const TextView& view, std::uint32_t rows);
  flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<wire::ColumnData>>> column_tables(std::span<const Column> columns);
  flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<wire::TextData>>> text_tables(std::span<const Text> texts);

  flatbuffers::FlatBufferBuilder buffer_;
};

}  // namespace pwalk::schema
