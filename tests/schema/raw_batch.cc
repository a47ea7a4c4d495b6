#include "schema/raw_batch.h"

#include <flatbuffers/flatbuffers.h>

#include <algorithm>
#include <stdexcept>

#include "entry_batch_generated.h"

namespace pwalk::schema::testing {
namespace {

class RawWriter {
 public:
  explicit RawWriter(const RawBatch& batch) : batch_(batch) {}

  AlignedBytes write() {
    std::vector<flatbuffers::Offset<wire::ColumnData>> columns;
    for (const RawBatch::Column& column : batch_.columns) columns.push_back(write(column));
    const auto column_tables = buffer_.CreateVector(columns);
    std::vector<flatbuffers::Offset<wire::TextData>> texts;
    for (const RawBatch::Text& text : batch_.texts) texts.push_back(write(text));
    const auto text_tables = buffer_.CreateVector(texts);
    const auto directory = vector("directory", batch_.directory);
    const auto name_offsets = vector("name_offsets", batch_.name_offsets);
    const auto name_bytes = bytes("name_bytes", batch_.name_bytes);
    const auto directories = write(batch_.directories);
    const auto records = write(batch_.records);
    wire::EntryBatchBuilder root(buffer_);
    root.add_version(batch_.version);
    root.add_rows(batch_.rows);
    root.add_columns(column_tables);
    root.add_directory(directory);
    root.add_name_offsets(name_offsets);
    root.add_name_bytes(name_bytes);
    root.add_directories(directories);
    if (!batch_.without_records) root.add_records(records);
    root.add_content_hash(batch_.content_hash);
    if (!batch_.texts.empty()) root.add_texts(text_tables);
    // Not root.Finish(): it insists on the required fields.
    const flatbuffers::Offset<wire::EntryBatch> end(buffer_.EndTable(root.start_));
    buffer_.Finish(end, batch_.identifier.c_str());
    return AlignedBytes(std::as_bytes(std::span(buffer_.GetBufferPointer(), buffer_.GetSize())));
  }

 private:
  template <class T>
  flatbuffers::Offset<flatbuffers::Vector<T>> vector(const std::string& name,
                                                     const std::vector<T>& elements) {
    const std::size_t size = elements.size() * sizeof(T);
    buffer_.PreAlign(size + (name == batch_.misaligned ? 8 : 0), 64);
    return buffer_.CreateVector(elements);
  }
  flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> bytes(const std::string& name,
                                                               const std::string& text) {
    return vector(name, std::vector<std::uint8_t>(text.begin(), text.end()));
  }

  flatbuffers::Offset<wire::ColumnData> write(const RawBatch::Column& column) {
    const std::string name = "column " + std::to_string(column.id);
    const auto values = vector(name, column.values);
    flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> valid;
    if (column.valid) valid = vector(name + " bitmap", *column.valid);
    return wire::CreateColumnData(buffer_, column.id, column.constant, values, column.null_count, valid);
  }
  flatbuffers::Offset<wire::TextData> write(const RawBatch::Text& text) {
    const std::string name = "text " + std::to_string(text.id);
    const auto offsets = vector(name + " offsets", text.offsets);
    const auto data = bytes(name, text.bytes);
    flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> valid;
    if (text.valid) valid = vector(name + " bitmap", *text.valid);
    return wire::CreateTextData(buffer_, text.id, offsets, data, text.null_count, valid);
  }
  flatbuffers::Offset<wire::DirectoryTable> write(const RawBatch::Directories& table) {
    const auto prefix = vector("directories.prefix", table.prefix);
    const auto shared = vector("directories.shared", table.shared);
    const auto suffix_offsets = vector("directories.suffix_offsets", table.suffix_offsets);
    const auto suffix_bytes = bytes("directories.suffix_bytes", table.suffix_bytes);
    const auto inode = vector("directories.inode", table.inode);
    return wire::CreateDirectoryTable(buffer_, prefix, shared, suffix_offsets, suffix_bytes, inode);
  }
  flatbuffers::Offset<wire::DirectoryRecordTable> write(const RawBatch::Records& table) {
    const auto directory = vector("records.directory", table.directory);
    const auto entries = vector("records.entries", table.entries);
    const auto byte_sums = vector("records.bytes", table.bytes);
    const auto flags = vector("records.flags", table.flags);
    const auto error = vector("records.error", table.error);
    const auto operation = vector("records.operation", table.operation);
    return wire::CreateDirectoryRecordTable(buffer_, directory, entries, byte_sums, flags, error, operation);
  }

  const RawBatch& batch_;
  flatbuffers::FlatBufferBuilder buffer_;
};

template <class T>
std::vector<std::uint8_t> little_endian(std::initializer_list<T> values) {
  std::vector<std::uint8_t> bytes;
  for (T value : values)
    for (std::size_t i = 0; i < sizeof(T); ++i) bytes.push_back(std::uint8_t(value >> 8 * i));
  return bytes;
}

}  // namespace

RawBatch::Column& RawBatch::column(schema::Column id) {
  const auto found =
      std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.id == std::uint8_t(id); });
  if (found == columns.end()) throw std::logic_error("no such column");
  return *found;
}

AlignedBytes RawBatch::write() const {
  return RawWriter(*this).write();
}

RawBatch sound_batch() {
  RawBatch batch;
  batch.rows = 4;
  batch.columns = {
      {std::uint8_t(Column::type), false, {'f', 'd', 'f', 'f'}, 0, {}},
      {std::uint8_t(Column::size), false, little_endian<std::uint64_t>({5, 4096, 0, 7}), 1, {{0b1011}}},
      {std::uint8_t(Column::uid), true, little_endian<std::uint32_t>({1000}), 0, {}},
      {std::uint8_t(Column::operation), true, {0}, 0, {}},
  };
  batch.texts = {{std::uint8_t(Column::target), {0, 0, 3, 3, 3}, "../", 2, {{0b0011}}}};
  batch.directory = {0, 0, 1, 2};
  batch.name_offsets = {0, 1, 3, 6, 10};
  batch.name_bytes = "abbcccdddd";
  // /data/one, /data/one/two, /data/other
  batch.directories = {{-1, 0, 0}, {0, 9, 7}, {0, 9, 13, 17}, "/data/one/twother", {11, 12, 0}};
  batch.records = {{0, 2}, {2, 1}, {5, 7}, {1, 1}, {0, 0}, {0, 0}};
  return batch;
}

}  // namespace pwalk::schema::testing
