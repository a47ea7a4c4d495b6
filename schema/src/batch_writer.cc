#include "batch_writer.h"

#include <array>
#include <cstring>

#include "pwalk/base/cache_line.h"

namespace pwalk::schema {

using flatbuffers::Offset;
using flatbuffers::Vector;

/// Aligns for the address, which FlatBuffers itself would do for the element only.
/// It counts from the end of the buffer; finishing makes the whole length a multiple of 64.
template <class T>
Offset<Vector<T>> BatchWriter::vector_of(const T* elements, std::size_t count) {
  buffer_.PreAlign(count * sizeof(T), kCacheLine);
  std::uint8_t* to = nullptr;
  const auto offset = buffer_.CreateUninitializedVector(count, sizeof(T), &to);
  if (count > 0) std::memcpy(to, elements, count * sizeof(T));
  return Offset<Vector<T>>(offset);
}

BatchWriter::Bytes BatchWriter::bytes_of(std::string_view bytes) {
  return vector_of(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

BatchWriter::Bytes BatchWriter::bitmap(const std::uint8_t* valid, std::uint32_t nulls, std::uint32_t rows) {
  return nulls == 0 ? Bytes() : vector_of(valid, (rows + 7) / 8);
}

BatchWriter::Column BatchWriter::column(std::size_t id, const ColumnView& view, std::uint32_t rows) {
  const std::size_t elements = view.constant ? 1 : rows;
  const auto values = vector_of(reinterpret_cast<const std::uint8_t*>(view.values), elements * view.width);
  return {std::uint8_t(id), view.constant, values, view.null_count, bitmap(view.valid, view.null_count, rows)};
}

BatchWriter::Text BatchWriter::text(std::size_t id, const TextView& view, std::uint32_t rows) {
  const auto offsets = vector_of(view.offsets);
  const auto bytes = bytes_of(view.bytes);
  return {std::uint8_t(id), offsets, bytes, view.null_count, bitmap(view.valid, view.null_count, rows)};
}

Offset<Vector<Offset<wire::ColumnData>>> BatchWriter::column_tables(std::span<const Column> columns) {
  std::array<Offset<wire::ColumnData>, kColumnCount> tables;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Column& column = columns[i];
    tables[i] = wire::CreateColumnData(buffer_, column.id, column.constant, column.values, column.null_count, column.valid);
  }
  return buffer_.CreateVector(tables.data(), columns.size());
}

/// Absent when there are none.
Offset<Vector<Offset<wire::TextData>>> BatchWriter::text_tables(std::span<const Text> texts) {
  if (texts.empty()) return {};
  std::array<Offset<wire::TextData>, kTextColumnCount> tables;
  for (std::size_t i = 0; i < texts.size(); ++i)
    tables[i] = wire::CreateTextData(buffer_, texts[i].id, texts[i].offsets, texts[i].bytes, texts[i].null_count, texts[i].valid);
  return buffer_.CreateVector(tables.data(), texts.size());
}

/// FlatBuffers writes from the end. So the tables, made last, lie together at the front, and behind them
/// what a check looks at in the order in which it does: a reader in whose cache nothing of the batch is
/// yet goes through it in one direction, as prefetchers like it.
std::span<const std::byte> BatchWriter::write(const BatchContent& content, const DirectoryCoder& directories,
                                              const RecordColumns& records, std::uint64_t content_hash) {
  buffer_.Clear();
  std::array<Column, kColumnCount> columns;
  std::size_t stored = 0;
  for (std::size_t id = 0; id < content.columns.size(); ++id)
    if (content.columns[id]) columns[stored++] = column(id, content.columns[id], content.rows);
  std::array<Text, kTextColumnCount> texts;
  std::size_t stored_texts = 0;
  for (std::size_t i = 0; i < content.texts.size(); ++i)
    if (content.texts[i]) texts[stored_texts++] = text(kFirstText + i, content.texts[i], content.rows);
  const auto directory = vector_of(content.directory);
  const auto prefix = vector_of(directories.prefix());
  const auto shared = vector_of(directories.shared());
  const auto suffix_offsets = vector_of(directories.suffix_offsets());
  const auto suffix_bytes = bytes_of(directories.suffix_bytes());
  const auto inodes = vector_of(directories.inodes());
  const auto name_bytes = bytes_of(content.name_bytes);
  const auto name_offsets = vector_of(content.name_offsets);

  const auto record_directory = vector_of(records.directory);
  const auto entries = vector_of(records.entries);
  const auto bytes = vector_of(records.bytes);
  const auto flags = vector_of(records.flags);
  const auto error = vector_of(records.error);
  const auto operation = vector_of(records.operation);

  const auto all_columns = column_tables({columns.data(), stored});
  const auto all_texts = text_tables({texts.data(), stored_texts});
  const auto table = wire::CreateDirectoryTable(buffer_, prefix, shared, suffix_offsets, suffix_bytes, inodes);
  const auto record_table =
      wire::CreateDirectoryRecordTable(buffer_, record_directory, entries, bytes, flags, error, operation);
  buffer_.Finish(wire::CreateEntryBatch(buffer_, kBatchVersion, content.rows, all_columns, directory, name_offsets,
                                        name_bytes, table, record_table, content_hash, all_texts),
                 wire::EntryBatchIdentifier());
  return {reinterpret_cast<const std::byte*>(buffer_.GetBufferPointer()), buffer_.GetSize()};
}

}  // namespace pwalk::schema
