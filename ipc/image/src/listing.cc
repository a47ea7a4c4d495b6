#include "listing.h"

namespace pwalk {
namespace {

/// Nothing in the batch vanished: the usual case, told without looking at the rows.
bool none_vanished(const schema::EntryBatchView& batch) {
  const schema::ColumnView& flags = batch.column(schema::Column::flags);
  return !flags || (flags.constant && !(flags.at<std::uint32_t>(0) & schema::kVanished));
}

}  // namespace

bool ListingBuilder::wanted(const EntryRef& entry) {
  return is_visible(entry) && (!unique_ || seen_.insert(entry.name()).second);
}

void ListingBuilder::add_run(const RowRun& run) {
  const bool root_row = run.batch->name(run.first).empty();
  if (!unique_ && !root_row && none_vanished(*run.batch)) {
    into_->runs_.push_back(run);
    return;
  }
  RowRun piece{run.batch, run.first, 0};
  for (std::uint32_t row = run.first; row < run.first + run.count; ++row) {
    if (wanted({*run.batch, row})) {
      ++piece.count;
      continue;
    }
    if (piece.count != 0) into_->runs_.push_back(piece);
    piece = {run.batch, row + 1, 0};
  }
  if (piece.count != 0) into_->runs_.push_back(piece);
}

void ListingBuilder::add_record(const schema::DirectoryRecord& record) {
  if (!into_->record_ || record.flags & schema::kComplete) into_->record_ = record;
}

std::size_t Listing::size() const {
  std::size_t rows = 0;
  for (const RowRun& run : runs_) rows += run.count;
  return rows;
}

}  // namespace pwalk
