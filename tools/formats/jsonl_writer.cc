#include "formats/jsonl_writer.h"

#include <algorithm>
#include <cstring>

#include "formats/column_text.h"
#include "text/base64.h"
#include "text/utf8.h"

namespace pwalk::tools {
namespace {

void append_unicode_escape(std::string& out, char32_t unit) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[unit >> shift & 15];
}

bool is_plain(char byte) { return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\'; }

/// `bytes` is UTF-8. JSON asks to escape C0, quote and backslash only; whatever is
/// unsafe to show is escaped too, so that a line can go anywhere. All of it is in
/// the BMP.
void append_json_string(std::string& out, std::string_view bytes) {
  out += '"';
  while (!bytes.empty()) {
    const auto plain = std::size_t(std::find_if_not(bytes.begin(), bytes.end(), is_plain) - bytes.begin());
    out += bytes.substr(0, plain);
    bytes.remove_prefix(plain);
    if (bytes.empty()) break;
    const Utf8Step step = decode_utf8(bytes);
    if (step.code_point == '"' || step.code_point == '\\')
      (out += '\\') += char(step.code_point);
    else if (is_unsafe_to_show(step.code_point))
      append_unicode_escape(out, step.code_point);
    else
      out += bytes.substr(0, step.length);
    bytes.remove_prefix(step.length);
  }
  out += '"';
}

void append_key(std::string& out, std::string_view key) { ((out += '"') += key) += "\":"; }

void append_uint(std::string& out, std::uint64_t value) {
  char text[kLongestValue];
  out.append(text, append_number(text, value));
}

void append_value(std::string& out, schema::Column id, const schema::ColumnView& column, std::uint32_t row) {
  if (!is_known(column, row)) {
    out += "null";
    return;
  }
  const std::uint64_t value = raw_value(column, row);
  char text[kLongestValue];
  if (id == schema::Column::type) {
    const char letter = char(value);
    append_json_string(out, {&letter, 1});
  } else if (id == schema::Column::operation) {
    append_json_string(out, operation_name(value));
  } else if (schema::spec_of(id).element == schema::ElementType::i8) {
    out.append(text, append_signed(text, value));
  } else {
    out.append(text, append_number(text, value));
  }
}

}  // namespace

void append_json_text(std::string& out, std::string_view key, std::string_view bytes) {
  if (is_utf8(bytes)) {
    append_key(out, key);
    append_json_string(out, bytes);
    return;
  }
  append_key(out, std::string(key) + "_base64");
  out += '"';
  append_base64(out, bytes);
  out += '"';
}

void JsonlWriter::write(const schema::EntryBatchView& batch, std::string& out) {
  RowPath path(batch);
  for (std::uint32_t row = 0; row < batch.rows(); ++row) {
    path.move_to(row);
    append_row(batch, path, row, out);
  }
  for (std::uint32_t i = 0; i < batch.record_count(); ++i) {
    const schema::PlacedRecord placed = batch.record(i);
    if (placed.record.error != 0) append_record(batch, placed, out);
  }
}

void JsonlWriter::append_row(const schema::EntryBatchView& batch, const RowPath& path, std::uint32_t row,
                             std::string& out) {
  char separator = '{';
  for (const OutputColumn& column : columns_) {
    out += separator;
    separator = ',';
    switch (column.source) {
      case OutputColumn::Source::path:
        text_.assign(path.directory_with_slash()).append(path.name());
        append_json_text(out, column.name, text_);
        break;
      case OutputColumn::Source::directory: append_json_text(out, column.name, path.directory()); break;
      case OutputColumn::Source::name: append_json_text(out, column.name, path.name()); break;
      case OutputColumn::Source::text:
        if (const schema::TextView& text = batch.text(column.column); text && text.is_valid(row))
          append_json_text(out, column.name, text.at(row));
        else
          append_key(out, column.name), out += "null";
        break;
      case OutputColumn::Source::batch:
        append_key(out, column.name);
        append_value(out, column.column, batch.column(column.column), row);
        break;
    }
  }
  out += "}\n";
}

void JsonlWriter::append_record(const schema::EntryBatchView& batch, const schema::PlacedRecord& placed,
                                std::string& out) {
  const schema::DirectoryRecord& record = placed.record;
  text_.clear();
  batch.append_directory_path(placed.directory, text_);
  if (text_.empty()) text_ = "/";
  out += "{\"record\":\"directory\",";
  append_json_text(out, "path", text_);
  out += ",\"error\":";
  append_uint(out, record.error);
  out += ",\"operation\":";
  append_json_string(out, operation_name(std::uint64_t(record.operation)));
  out += ",\"message\":";
  append_json_string(out, std::strerror(int(record.error)));
  out += ",\"entries\":";
  append_uint(out, record.entries);
  out += "}\n";
}

}  // namespace pwalk::tools
