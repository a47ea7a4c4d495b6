#include "pending_index.h"

#include <algorithm>

namespace pwalk::image {
namespace {

using layout::DirectoryEntryKind;
using layout::Locator;
using layout::NameLocator;

/// The end of the group that begins at `from`: neighbours with one hash.
template <class Runs>
std::size_t group_end(const Runs& runs, std::size_t from) {
  std::size_t to = from + 1;
  while (to < runs.size() && runs[to].hash == runs[from].hash) ++to;
  return to;
}

}  // namespace

void PendingIndex::add(std::uint32_t batch_number, const schema::EntryBatchView& batch) {
  collect_runs(batch_number, batch);
  attach_records(batch);
  hash_names(batch);
}

/// One run per directory of the batch: EntryBatchView has checked that a
/// directory's rows are neighbours.
void PendingIndex::collect_runs(std::uint32_t batch_number, const schema::EntryBatchView& batch) {
  by_directory_.assign(batch.directory_count(), Run{});
  for (std::uint32_t i = 0; i < by_directory_.size(); ++i) {
    by_directory_[i].batch = batch_number;
    by_directory_[i].first = std::uint16_t(i);  // stays if it has no rows
  }
  const auto directory = batch.directory_index();
  for (std::uint32_t row = 0; row < batch.rows();) {
    const std::uint32_t first = row;
    while (++row < batch.rows() && directory[row] == directory[first]) continue;
    Run& run = by_directory_[std::size_t(directory[first])];
    run.first = std::uint16_t(first);
    run.rows = std::uint16_t(row - first);
  }
}

void PendingIndex::attach_records(const schema::EntryBatchView& batch) {
  for (std::uint32_t i = 0; i < batch.record_count(); ++i) {
    const schema::PlacedRecord placed = batch.record(i);
    Run& run = by_directory_[placed.directory];
    run.record = std::uint16_t(i + 1);
    run.listed = placed.record.entries;
  }
}

/// Names are hashed now, while the batch is at hand, wherever write() might want them.
void PendingIndex::hash_names(const schema::EntryBatchView& batch) {
  for (std::uint32_t i = 0; i < by_directory_.size(); ++i) {
    Run& run = by_directory_[i];
    if (run.rows == 0 && run.record == 0) continue;
    path_.clear();
    batch.append_directory_path(i, path_);
    run.hash = path_hash(path_, seed_);
    if (run.record == 0 || run.listed >= kLargeDirectory || run.rows >= kLargeDirectory) {
      run.names = name_hashes_.size();
      for (std::uint32_t row = run.first; row < std::uint32_t(run.first) + run.rows; ++row)
        name_hashes_.push_back(name_hash(batch.name(row), seed_));
    }
    runs_.push_back(run);
  }
}

/// Decides, now that all runs of a directory in this segment are known. Returns how
/// many names there will be.
std::uint64_t PendingIndex::name_large_directories() {
  std::uint64_t total = 0;
  for (std::size_t from = 0; from < runs_.size();) {
    const std::size_t to = group_end(runs_, from);
    std::uint64_t rows = 0, listed = 0;
    bool ended = false;
    for (std::size_t i = from; i < to; ++i) {
      rows += runs_[i].rows;
      ended |= runs_[i].record != 0;
      listed = std::max(listed, runs_[i].listed);
    }
    const bool large = !ended || rows >= kLargeDirectory || listed >= kLargeDirectory;
    for (std::size_t i = from; i < to; ++i) {
      runs_[i].named = large && runs_[i].rows != 0 && runs_[i].names != Run::kNoNames;
      if (runs_[i].named) total += runs_[i].rows;
    }
    from = to;
  }
  return total;
}

Result<void> PendingIndex::write_directory(SegmentWriter& segment, std::span<const Run> runs) {
  sorted_names_.clear();
  for (const Run& run : runs)
    for (std::uint32_t i = 0; run.named && i < run.rows; ++i)
      sorted_names_.push_back({name_hashes_[run.names + i], NameLocator::at(run.batch, std::uint16_t(run.first + i))});
  std::sort(sorted_names_.begin(), sorted_names_.end(),
            [](const Name& a, const Name& b) { return a.hash < b.hash; });

  const std::uint64_t hash = runs[0].hash;
  if (!sorted_names_.empty()) {
    const auto names = Locator::names(segment.names_so_far(), std::uint32_t(sorted_names_.size()));
    if (auto done = segment.add_directory(hash, names); !done) return done;
  }
  for (const Name& name : sorted_names_)
    if (auto done = segment.add_name(name.hash, name.locator); !done) return done;
  for (const bool named : {false, true})
    for (const Run& run : runs) {
      if (run.named != named) continue;
      const auto kind = named ? DirectoryEntryKind::named_run : DirectoryEntryKind::run;
      if (auto done = segment.add_directory(hash, Locator::run(kind, run.batch, run.first, run.rows, run.record)); !done)
        return done;
    }
  return {};
}

Result<layout::SegmentRow> PendingIndex::write(AppendFile& file) {
  std::stable_sort(runs_.begin(), runs_.end(), [](const Run& a, const Run& b) { return a.hash < b.hash; });
  auto segment = SegmentWriter::begin(file, name_large_directories());
  if (!segment) return tl::unexpected(segment.error());
  for (std::size_t from = 0; from < runs_.size();) {
    const std::size_t to = group_end(runs_, from);
    if (auto done = write_directory(*segment, std::span(runs_).subspan(from, to - from)); !done)
      return tl::unexpected(done.error());
    from = to;
  }
  runs_.clear();
  name_hashes_.clear();
  return segment->finish();
}

}  // namespace pwalk::image
