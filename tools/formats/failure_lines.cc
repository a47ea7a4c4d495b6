#include "formats/failure_lines.h"

#include <cstring>

#include "formats/column_text.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

void append_line(std::string_view path, std::uint64_t error, std::string& out) {
  out += "pwalk: '";
  append_escaped(out, path);
  out += "': ";
  out += std::strerror(int(error));
  out += '\n';
}

}  // namespace

void append_failure_lines(const schema::EntryBatchView& batch, std::string& out) {
  const schema::ColumnView& errors = batch.column(schema::Column::error);
  const bool any_row = batch.rows() > 0 && errors && !(errors.constant && raw_value(errors, 0) == 0);
  for (std::uint32_t row = 0; any_row && row < batch.rows(); ++row)
    if (const std::uint64_t error = raw_value(errors, row)) append_line(batch.path(row), error, out);
  for (std::uint32_t i = 0; i < batch.record_count(); ++i) {
    const schema::PlacedRecord placed = batch.record(i);
    if (placed.record.error == 0) continue;
    std::string path;
    batch.append_directory_path(placed.directory, path);
    append_line(path.empty() ? "/" : path, placed.record.error, out);
  }
}

}  // namespace pwalk::tools
