#include "pwalk/schema/entry_batch_view.h"

#include <utility>

#include "batch_checker.h"
#include "batch_content.h"

namespace pwalk::schema {

Result<EntryBatchView> EntryBatchView::check(std::span<const std::byte> bytes) {
  Result<EntryBatchView> view{EntryBatchView()};
  if (auto good = check_into(bytes, *view); !good) return tl::unexpected(std::move(good.error()));
  return view;
}

Result<void> EntryBatchView::check_into(std::span<const std::byte> bytes, EntryBatchView& fresh) {
  return BatchChecker(bytes, fresh).run();
}

EntryBatchView EntryBatchView::limited_to(ColumnSet wanted) const {
  EntryBatchView limited = *this;
  limited.columns_ = columns_ & wanted;
  for (const ColumnSpec& spec : kColumns)
    if (!limited.columns_.has(spec.id)) limited.views_[std::size_t(spec.id)] = {};
  for (const TextColumnSpec& spec : kTextColumns)
    if (!limited.columns_.has(spec.id)) limited.texts_[std::size_t(spec.id) - kFirstText] = {};
  return limited;
}

/// Fills in from the end: each row of the chain owns the piece before the last one.
void EntryBatchView::append_directory_path(std::uint32_t directory, std::string& out) const {
  const std::size_t start = out.size();
  std::size_t end = directory_path_length(directory);
  out.resize(start + end);
  for (std::size_t row = directory; end > 0; row = std::size_t(prefix_[row])) {
    const std::size_t from = shared_[row];
    suffix(std::uint32_t(row)).copy(out.data() + start + from, end - from);
    end = from;
  }
}

void EntryBatchView::append_path(std::uint32_t row, std::string& out) const {
  append_directory_path(std::uint32_t(directory_[row]), out);
  out += '/';
  out += name(row);
}

std::string EntryBatchView::path(std::uint32_t row) const {
  std::string path;
  append_path(row, path);
  return path;
}

PlacedRecord EntryBatchView::record(std::uint32_t index) const {
  PlacedRecord placed;
  placed.directory = std::uint32_t(record_directory_[index]);
  placed.record.entries = record_entries_[index];
  placed.record.bytes = record_bytes_[index];
  placed.record.flags = record_flags_[index];
  placed.record.error = record_error_[index];
  placed.record.operation = Operation(record_operation_[index]);
  return placed;
}

BatchContent EntryBatchView::content() const {
  return {rows_, views_, texts_, name_offsets_, name_bytes_, directory_};
}

std::uint64_t EntryBatchView::file_bytes() const {
  return sum_file_sizes(content());
}

std::uint64_t count_errors(const EntryBatchView& batch) {
  std::uint64_t errors = 0;
  const ColumnView& column = batch.column(Column::error);
  if (column && column.constant)
    errors = column.at<std::uint32_t>(0) != 0 ? batch.rows() : 0;
  else if (column)
    for (std::uint32_t row = 0; row < batch.rows(); ++row) errors += column.at<std::uint32_t>(row) != 0;
  for (std::uint32_t i = 0; i < batch.record_count(); ++i) errors += batch.record(i).record.error != 0;
  return errors;
}

}  // namespace pwalk::schema
