#include "formats/csv_writer.h"

#include <algorithm>

#include "formats/column_text.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

/// One value of a fixed-width column; nothing when it is unknown.
char* append_value(char* at, schema::Column id, const schema::ColumnView& column, std::uint32_t row) {
  if (!is_known(column, row)) return at;
  const std::uint64_t value = raw_value(column, row);
  switch (id) {
    case schema::Column::type: *at = char(value); return at + 1;
    case schema::Column::mode: return append_number(at, value, 8);
    case schema::Column::operation: {
      const auto name = operation_name(value);
      return std::copy(name.begin(), name.end(), at);
    }
    default: break;
  }
  return schema::spec_of(id).element == schema::ElementType::i8 ? append_signed(at, value)
                                                                 : append_number(at, value);
}

void append_text(std::string& out, std::string_view bytes) {
  if (!needs_quotes(bytes)) {
    out += bytes;
    return;
  }
  out += '"';
  append_doubling_quotes(out, bytes);
  out += '"';
}

}  // namespace

bool needs_quotes(std::string_view bytes) {
  return std::any_of(bytes.begin(), bytes.end(),
                     [](char byte) { return byte == ',' || byte == '"' || byte == '\n' || byte == '\r'; });
}

void append_doubling_quotes(std::string& out, std::string_view bytes) {
  for (std::size_t quote; (quote = bytes.find('"')) != bytes.npos; bytes.remove_prefix(quote + 1))
    out.append(bytes.substr(0, quote + 1)) += '"';
  out += bytes;
}

void CsvWriter::begin(std::string& out) {
  for (const OutputColumn& column : columns_) {
    if (&column != &columns_.front()) out += ',';
    out += column.name;
  }
  out += '\n';
}

void CsvWriter::write(const schema::EntryBatchView& batch, std::string& out) {
  RowPath path(batch);
  for (std::uint32_t row = 0; row < batch.rows(); ++row) {
    if (path.move_to(row)) enter_directory(path);
    name_.clear();
    if (for_terminal_)
      append_escaped(name_, path.name());
    else
      name_ += path.name();
    for (const OutputColumn& column : columns_) {
      if (&column != &columns_.front()) out += ',';
      append_field(column, batch, row, out);
    }
    out += '\n';
  }
}

void CsvWriter::enter_directory(const RowPath& path) {
  directory_ = for_terminal_ ? escaped(path.directory_with_slash()) : path.directory_with_slash();
  directory_needs_quotes_ = needs_quotes(directory_);
}

void CsvWriter::append_field(const OutputColumn& column, const schema::EntryBatchView& batch, std::uint32_t row,
                             std::string& out) {
  switch (column.source) {
    case OutputColumn::Source::path: return append_path(out);
    case OutputColumn::Source::name: return append_text(out, name_);
    case OutputColumn::Source::directory:
      return append_text(out, std::string_view(directory_).substr(0, directory_.size() - 1));
    case OutputColumn::Source::text: {
      const schema::TextView& text = batch.text(column.column);
      const std::string_view value = text ? text.at(row) : std::string_view();
      return append_text(out, for_terminal_ ? escaped(value) : std::string(value));
    }
    case OutputColumn::Source::batch: break;
  }
  char value[kLongestValue];
  out.append(value, append_value(value, column.column, batch.column(column.column), row));
}

void CsvWriter::append_path(std::string& out) {
  const bool quoted = directory_needs_quotes_ || needs_quotes(name_);
  if (!quoted) {
    out.append(directory_).append(name_);
    return;
  }
  out += '"';
  append_doubling_quotes(out, directory_);
  append_doubling_quotes(out, name_);
  out += '"';
}

}  // namespace pwalk::tools
