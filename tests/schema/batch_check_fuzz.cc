#include "schema/batch_check_fuzz.h"

#include <algorithm>
#include <string>
#include <vector>

#include "pwalk/schema/row_hash.h"
#include "schema/random_rows.h"
#include "schema/raw_batch.h"

namespace pwalk::schema::testing {
namespace {

/// Somewhere for what was read to go, so that no read is optimised away.
volatile std::uint64_t sink;

void read_column(const ColumnView& column, std::uint32_t rows) {
  for (std::uint32_t row = 0; column && row < rows; ++row)
    sink = sink + column.at<std::uint64_t>(row) + (column.is_valid(row) ? 1 : 0);
}

void read_text(const TextView& text, std::uint32_t rows) {
  for (std::uint32_t row = 0; text && row < rows; ++row)
    for (const char c : text.at(row)) sink = sink + std::uint64_t(c) + (text.is_valid(row) ? 1 : 0);
}

void read_directories(const EntryBatchView& view) {
  std::string path;
  for (std::uint32_t i = 0; i < view.directory_count(); ++i) {
    path.clear();
    view.append_directory_path(i, path);
    if (path.size() != view.directory_path_length(i)) __builtin_trap();
    if (!path.empty() && (path.front() != '/' || path.back() == '/')) __builtin_trap();
    sink = sink + view.directory_inode(i);
  }
}

void read_records(const EntryBatchView& view) {
  for (std::uint32_t i = 0; i < view.record_count(); ++i) {
    const PlacedRecord placed = view.record(i);
    sink = sink + placed.record.bytes + kOperationNames[std::size_t(placed.record.operation)].size() +
           view.directory_path_length(placed.directory);
  }
}

std::vector<AlignedBytes> make_bases() {
  std::vector<AlignedBytes> bases{sound_batch().write()};
  Random random(20240229);
  for (const Values values : {Values::alike, Values::plausible, Values::wild}) {
    for (const std::size_t rows : {1, 9, 60}) {
      const Built built = build(random_tree(random, rows, values, rows > 1),
                                ColumnSet::all() | (rows == 9 ? ColumnSet::texts() : ColumnSet{}), {});
      for (const AlignedBytes& batch : built.batches) bases.push_back(batch);
    }
  }
  return bases;
}

}  // namespace

void read_everything(const EntryBatchView& view) {
  for (const ColumnSpec& spec : kColumns) read_column(view.column(spec.id), view.rows());
  for (const TextColumnSpec& spec : kTextColumns) read_text(view.text(spec.id), view.rows());
  for (std::uint32_t row = 0; row < view.rows(); ++row) {
    if (view.path(row).find('\0') != std::string::npos) __builtin_trap();
  }
  read_directories(view);
  read_records(view);
  sink = sink + hash_rows(view) + view.file_bytes() + view.content_hash();
}

bool read_if_sound(std::span<const std::byte> batch) {
  const auto view = EntryBatchView::check(batch);
  if (!view) return false;
  read_everything(*view);
  return true;
}

bool batch_check_fuzz(std::span<const std::uint8_t> input) {
  static const std::vector<AlignedBytes> bases = make_bases();
  if (input.empty()) return false;
  const std::uint8_t choice = input.front();
  input = input.subspan(1);
  if (choice == 0) return read_if_sound(AlignedBytes(std::as_bytes(input)).span());
  AlignedBytes patched = bases[choice % bases.size()];
  for (; input.size() >= 3; input = input.subspan(3))
    patched.span()[(input[0] | std::size_t(input[1]) << 8) % patched.span().size()] = std::byte(input[2]);
  return read_if_sound(patched.span());
}

}  // namespace pwalk::schema::testing
