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

Offset<Vector<std::uint8_t>> BatchWriter::bytes_of(std::string_view bytes) {
  return vector_of(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

Offset<wire::ColumnData> BatchWriter::column(std::size_t id, const ColumnView& view, std::uint32_t rows) {
  const std::size_t elements = view.constant ? 1 : rows;
  const auto values = vector_of(reinterpret_cast<const std::uint8_t*>(view.values), elements * view.width);
  Offset<Vector<std::uint8_t>> valid;
  if (view.null_count > 0) valid = vector_of(view.valid, (rows + 7) / 8);
  return wire::CreateColumnData(buffer_, std::uint8_t(id), view.constant, values, view.null_count, valid);
}

Offset<wire::TextData> BatchWriter::text(std::size_t id, const TextView& view, std::uint32_t rows) {
  const auto offsets = vector_of(view.offsets);
  const auto bytes = bytes_of(view.bytes);
  Offset<Vector<std::uint8_t>> valid;
  if (view.null_count > 0) valid = vector_of(view.valid, (rows + 7) / 8);
  return wire::CreateTextData(buffer_, std::uint8_t(id), offsets, bytes, view.null_count, valid);
}

Offset<wire::DirectoryTable> BatchWriter::directory_table(const DirectoryCoder& directories) {
  const auto prefix = vector_of(directories.prefix());
  const auto shared = vector_of(directories.shared());
  const auto suffix_offsets = vector_of(directories.suffix_offsets());
  const auto suffix_bytes = bytes_of(directories.suffix_bytes());
  const auto inodes = vector_of(directories.inodes());
  return wire::CreateDirectoryTable(buffer_, prefix, shared, suffix_offsets, suffix_bytes, inodes);
}

Offset<wire::DirectoryRecordTable> BatchWriter::record_table(const RecordColumns& records) {
  const auto directory = vector_of(records.directory);
  const auto entries = vector_of(records.entries);
  const auto bytes = vector_of(records.bytes);
  const auto flags = vector_of(records.flags);
  const auto error = vector_of(records.error);
  const auto operation = vector_of(records.operation);
  return wire::CreateDirectoryRecordTable(buffer_, directory, entries, bytes, flags, error, operation);
}

std::span<const std::byte> BatchWriter::write(const BatchContent& content, const DirectoryCoder& directories,
                                              const RecordColumns& records, std::uint64_t content_hash) {
  buffer_.Clear();
  std::array<Offset<wire::ColumnData>, kColumnCount> columns;
  std::size_t stored = 0;
  for (std::size_t id = 0; id < content.columns.size(); ++id)
    if (content.columns[id]) columns[stored++] = column(id, content.columns[id], content.rows);
  const auto column_tables = buffer_.CreateVector(columns.data(), stored);
  std::array<Offset<wire::TextData>, kTextColumnCount> texts;
  std::size_t stored_texts = 0;
  for (std::size_t i = 0; i < content.texts.size(); ++i)
    if (content.texts[i]) texts[stored_texts++] = text(kFirstText + i, content.texts[i], content.rows);
  Offset<Vector<Offset<wire::TextData>>> text_tables;
  if (stored_texts > 0) text_tables = buffer_.CreateVector(texts.data(), stored_texts);
  const auto directory = vector_of(content.directory);
  const auto name_offsets = vector_of(content.name_offsets);
  const auto name_bytes = bytes_of(content.name_bytes);
  const auto table = directory_table(directories);
  const auto record_columns = record_table(records);
  buffer_.Finish(wire::CreateEntryBatch(buffer_, kBatchVersion, content.rows, column_tables, directory,
                                        name_offsets, name_bytes, table, record_columns, content_hash, text_tables),
                 wire::EntryBatchIdentifier());
  return {reinterpret_cast<const std::byte*>(buffer_.GetBufferPointer()), buffer_.GetSize()};
}

}  // namespace pwalk::schema
