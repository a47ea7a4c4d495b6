#include "formats/pwalk_csv_writer.h"

#include <fmt/format.h>

#include "formats/column_text.h"
#include "formats/csv_writer.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

using schema::Column;

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

/// What follows the last dot of a name, unless that dot is its first byte.
std::string_view extension_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == name.npos || dot == 0 ? std::string_view() : name.substr(dot + 1);
}

std::int64_t whole_seconds(std::int64_t ns) {
  return ns / kNanosecondsPerSecond - (ns % kNanosecondsPerSecond < 0 ? 1 : 0);
}

void append_column(const schema::EntryBatchView& batch, Column id, std::uint32_t row, std::string& out) {
  const schema::ColumnView& column = batch.column(id);
  out += ',';
  if (!is_known(column, row)) return;
  const std::uint64_t value = raw_value(column, row);
  char text[kLongestValue];
  if (id == Column::mode)
    fmt::format_to(std::back_inserter(out), "\"{:07o}\"", value);
  else if (schema::spec_of(id).element == schema::ElementType::i8)
    out.append(text, append_signed(text, std::uint64_t(whole_seconds(std::int64_t(value)))));
  else
    out.append(text, append_number(text, value));
}

/// A directory that was opened, or at least tried, and so gets a record.
bool expects_record(const schema::EntryBatchView& batch, std::uint32_t row) {
  const auto value = [&](Column id) {
    return is_known(batch.column(id), row) ? raw_value(batch.column(id), row) : 0;
  };
  return value(Column::type) == 'd' && value(Column::error) == 0 &&
         !(value(Column::flags) & (schema::kVanished | schema::kLoop));
}

void append_totals(const schema::DirectoryRecord* record, std::string& out) {
  const bool unread = !record || (!(record->flags & schema::kComplete) && record->entries == 0);
  if (unread)
    out += ",-1,0\n";
  else
    fmt::format_to(std::back_inserter(out), ",{},{}\n", record->entries, record->bytes);
}

}  // namespace

void PwalkCsvWriter::begin(std::string& out) {
  out +=
      "inode,parent-inode,directory-depth,\"filename\",\"fileExtension\",UID,GID,st_size,st_dev,st_blocks,"
      "st_nlink,\"st_mode\",st_atime,st_mtime,st_ctime,pw_fcount,pw_dirsum\n";
}

void PwalkCsvWriter::write(const schema::EntryBatchView& batch, std::string& out) {
  RowPath path(batch);
  for (std::uint32_t row = 0; row < batch.rows(); ++row) {
    path.move_to(row);
    path_.assign(path.directory_with_slash()).append(path.name());
    if (expects_record(batch, row)) {
      std::string line;
      append_line(batch, path, row, line);
      join_row(path_, std::move(line), out);
    } else {
      append_line(batch, path, row, out);
      append_totals(nullptr, out);
    }
  }
  for (std::uint32_t i = 0; i < batch.record_count(); ++i) join_record(batch, batch.record(i), out);
}

/// All but the last two columns.
void PwalkCsvWriter::append_line(const schema::EntryBatchView& batch, const RowPath& path, std::uint32_t row,
                                 std::string& out) {
  const auto& inode = batch.column(Column::inode);
  if (is_known(inode, row)) fmt::format_to(std::back_inserter(out), "{}", raw_value(inode, row));
  const auto& depth = batch.column(Column::depth);
  const std::int64_t levels = is_known(depth, row) ? std::int64_t(raw_value(depth, row)) : 0;
  const std::uint64_t parent = levels == 0 ? 0 : batch.directory_inode(path.directory_index());
  if (is_known(depth, row))
    fmt::format_to(std::back_inserter(out), ",{},{},", parent, levels - 1);
  else
    fmt::format_to(std::back_inserter(out), ",{},,", parent);
  append_name(path_, extension_of(path.name()), out);
  for (Column id : {Column::uid, Column::gid, Column::size, Column::device, Column::blocks, Column::nlink,
                    Column::mode, Column::atime, Column::mtime, Column::ctime})
    append_column(batch, id, row, out);
}

void PwalkCsvWriter::append_name(std::string_view path, std::string_view extension, std::string& out) const {
  const auto quoted = [&](std::string_view bytes) {
    out += '"';
    if (for_terminal_)
      append_doubling_quotes(out, escaped(bytes));
    else
      append_doubling_quotes(out, bytes);
    out += '"';
  };
  quoted(path);
  out += ',';
  quoted(extension);
}

void PwalkCsvWriter::join_row(const std::string& path, std::string line, std::string& out) {
  Halves& halves = waiting_[path];
  if (halves.records.empty()) {
    halves.lines.push_back(std::move(line));
    return;
  }
  out += line;
  append_totals(&halves.records.front(), out);
  halves.records.pop_front();
  if (halves.empty()) waiting_.erase(path);
}

void PwalkCsvWriter::join_record(const schema::EntryBatchView& batch, const schema::PlacedRecord& placed,
                                 std::string& out) {
  std::string path;
  batch.append_directory_path(placed.directory, path);
  if (path.empty()) path = "/";
  Halves& halves = waiting_[path];
  if (halves.lines.empty()) {
    halves.records.push_back(placed.record);
    return;
  }
  out += halves.lines.front();
  append_totals(&placed.record, out);
  halves.lines.pop_front();
  if (halves.empty()) waiting_.erase(path);
}

void PwalkCsvWriter::finish(std::string& out) {
  for (const auto& [path, halves] : waiting_) {
    for (const std::string& line : halves.lines) {
      out += line;
      append_totals(nullptr, out);
    }
    for (const schema::DirectoryRecord& record : halves.records) {
      out += ",,,";
      append_name(path, extension_of(std::string_view(path).substr(path.rfind('/') + 1)), out);
      out += ",,,,,,,,,,";
      append_totals(&record, out);
    }
  }
  waiting_.clear();
}

}  // namespace pwalk::tools
