#include "changes_sink.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "pwalk/base/lies_below.h"
#include "pwalk/image/tree_walk.h"
#include "row_difference.h"

namespace pwalk::publish {
namespace {

using schema::Column;
using schema::DirectoryRecord;
using schema::EntryBatchView;

constexpr std::align_val_t kBatchAlignment{64};

void free_aligned(std::byte* bytes) { ::operator delete(bytes, kBatchAlignment); }

/// A name that is gone: what it was called, and that it was a directory or something else.
schema::Entry gone_entry(const EntryRef& before) {
  schema::Entry entry;
  entry.name = before.name();
  entry.type = before.type();
  entry.depth = before.get<std::uint32_t>(Column::depth);
  entry.flags = schema::kVanished;
  for (const Column column : {Column::type, Column::depth, Column::flags, Column::error, Column::operation})
    entry.known.insert(column);
  return entry;
}

/// What was a directory has become something else, or nothing.
bool lost_its_entries(const EntryRef& before, const EntryRef& now) {
  if (!before.is_directory()) return false;
  if (now.flags() & schema::kVanished) return true;
  return now.error() == 0 && !now.is_directory() && now.type() != '?';
}

bool tells_of_failure(const DirectoryRecord& record) {
  return record.error != 0 || record.flags & schema::kDirectoryVanished;
}

/// Names that did not come are gone.
bool was_read_or_is_gone(const DirectoryRecord& record) {
  return record.error == 0 && record.flags & (schema::kComplete | schema::kDirectoryVanished);
}

std::string path_of(std::string_view directory, std::string_view name) {
  return std::string(directory).append("/").append(name);
}

}  // namespace

ChangesSink::Desk::Desk(const ScanPlan& plan, BatchSink& lanes, unsigned worker)
    : copy(nullptr, free_aligned), writer(plan.columns, plan.batch_limits(lanes.max_batch_bytes()), lanes, worker) {}

std::span<const std::byte> ChangesSink::Desk::aligned(std::span<const std::byte> bytes) {
  if (capacity < bytes.size()) {
    copy.reset(static_cast<std::byte*>(::operator new(bytes.size(), kBatchAlignment)));
    capacity = bytes.size();
  }
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  return {copy.get(), bytes.size()};
}

ChangesSink::ChangesSink(const ScanPlan& plan, BatchSink& lanes, WholeImages& images, const ResultsFilesystem& before)
    : plan_(plan),
      lanes_(lanes),
      images_(images),
      before_(before),
      compared_(compared_columns(before.facts().columns, plan.columns)),
      desks_(plan.most_threads) {}

ChangesSink::Desk& ChangesSink::desk_of(unsigned worker) {
  auto& desk = desks_[worker];
  if (!desk) desk = std::make_unique<Desk>(plan_, lanes_, worker);
  return *desk;
}

Result<void> ChangesSink::accept(unsigned worker, const schema::FinishedBatch& finished) {
  Desk& desk = desk_of(worker);
  const auto batch = EntryBatchView::check(desk.aligned(finished.bytes));
  if (!batch) return tl::unexpected(batch.error());
  images_.append(*batch);
  desk.counts = {};
  auto told = tell_changes(desk, *batch);
  if (told) told = desk.writer.flush();
  added_.fetch_add(desk.counts.added, std::memory_order_relaxed);
  changed_.fetch_add(desk.counts.changed, std::memory_order_relaxed);
  removed_.fetch_add(desk.counts.removed, std::memory_order_relaxed);
  unchanged_.fetch_add(desk.counts.unchanged, std::memory_order_relaxed);
  return told;
}

Result<void> ChangesSink::tell_changes(Desk& desk, const EntryBatchView& batch) {
  std::uint32_t row = 0, record = 0;
  while (row < batch.rows() || record < batch.record_count()) {
    const Part part = next_part(batch, row, record);
    auto told = tell_part(desk, part);
    if (told) told = tell_gone(desk);
    if (told) continue;
    if (told.error().code == EPROTO || told.error().code == EIO) {
      const std::lock_guard lock(problem_mutex_);
      if (problem_.empty()) problem_ = told.error().what;
    }
    return told;
  }
  return {};
}

/// The rows from `row` on that lie in one directory, with its record if that is the next one. The row of `/`
/// itself, which has no name, is no entry of its directory and comes alone.
ChangesSink::Part ChangesSink::next_part(const EntryBatchView& batch, std::uint32_t& row, std::uint32_t& record) {
  constexpr std::uint32_t kNone = ~std::uint32_t{0};
  const auto directories = batch.directory_index();
  const auto directory_of = [&](std::uint32_t at) { return at < batch.rows() ? std::uint32_t(directories[at]) : kNone; };
  const std::uint32_t of_record = record < batch.record_count() ? batch.record(record).directory : kNone;
  Part part{batch, std::min(directory_of(row), of_record), row, row, std::nullopt};
  if (directory_of(row) == part.directory && batch.name(row).empty()) {
    part.end = ++row;
    return part;
  }
  while (directory_of(part.end) == part.directory && !batch.name(part.end).empty()) ++part.end;
  row = part.end;
  if (of_record == part.directory && directory_of(row) != part.directory) part.record = batch.record(record++).record;
  return part;
}

Result<void> ChangesSink::tell_part(Desk& desk, const Part& part) {
  desk.path.clear();
  part.batch.append_directory_path(part.directory, desk.path);
  desk.writer.enter(desk.path, part.batch.directory_inode(part.directory));
  const bool is_top = part.rows() == 1 && part.batch.name(part.first).empty();
  if (is_top || !is_in_a_root(desk.path)) return tell_roots(desk, part);
  if (part.record && part.record->entries == part.rows()) return tell_whole(desk, part);
  return tell_piece(desk, part);
}

/// Rows of roots: their directory is not read.
Result<void> ChangesSink::tell_roots(Desk& desk, const Part& part) {
  for (std::uint32_t row = part.first; row < part.end; ++row) {
    const EntryRef now(part.batch, row);
    const auto before = before_.entry_in(desk.path.empty() ? "/" : desk.path, now.name());
    if (!before) return tl::unexpected(before.error());
    if (auto told = tell_row(desk, *before, now); !told) return tl::unexpected(told.error());
  }
  if (part.record && tells_of_failure(*part.record)) return desk.writer.close(*part.record);
  return {};
}

/// A directory that begins and ends in this batch, as nearly all do.
Result<void> ChangesSink::tell_whole(Desk& desk, const Part& part) {
  if (auto opened = desk.directory.open(before_, desk.path); !opened) return opened;
  const auto told = compare(desk, part, desk.directory);
  if (!told) return tl::unexpected(told.error());
  return close(desk, desk.directory, *part.record, *told);
}

/// A directory of several batches, by whichever worker they come. The last one closes it.
Result<void> ChangesSink::tell_piece(Desk& desk, const Part& part) {
  const std::shared_ptr<Pending> state = pending(desk.path);
  const std::lock_guard lock(state->mutex);
  if (!state->is_open)
    if (auto opened = state->directory.open(before_, desk.path); !opened) return opened;
  state->is_open = true;
  const auto told = compare(desk, part, state->directory);
  if (!told) return tl::unexpected(told.error());
  state->told |= *told;
  state->rows += part.rows();
  if (part.record) state->record = part.record;
  if (!state->record || state->rows < state->record->entries) return {};
  forget(desk.path);
  return close(desk, state->directory, *state->record, state->told);
}

/// True if some row was told.
Result<bool> ChangesSink::compare(Desk& desk, const Part& part, OldDirectory& directory) {
  bool told_any = false;
  for (std::uint32_t row = part.first; row < part.end; ++row) {
    const EntryRef now(part.batch, row);
    const auto before = directory.take(now.name());
    if (!before) return tl::unexpected(before.error());
    auto told = tell_row(desk, *before, now);
    if (!told) return told;
    told_any |= *told;
  }
  return told_any;
}

/// A row that vanished while it was looked at is gone if it was there before, and else nothing.
Result<bool> ChangesSink::tell_row(Desk& desk, const EntryRef& before, const EntryRef& now) {
  const bool vanished = now.flags() & schema::kVanished;
  if (before ? !vanished && !differs(before, now, compared_) : vanished) {
    ++desk.counts.unchanged;
    return false;
  }
  ++(!before ? desk.counts.added : vanished ? desk.counts.removed : desk.counts.changed);
  if (before && lost_its_entries(before, now)) desk.gone.push_back(path_of(desk.path, now.name()));
  if (auto added = desk.writer.append(now.load()); !added) return tl::unexpected(added.error());
  return true;
}

Result<void> ChangesSink::close(Desk& desk, const OldDirectory& directory, const DirectoryRecord& record, bool told) {
  if (was_read_or_is_gone(record)) {
    const auto left = tell_left(desk, directory);
    if (!left) return tl::unexpected(left.error());
    told |= *left;
  }
  return told || tells_of_failure(record) ? desk.writer.close(record) : Result<void>{};
}

Result<bool> ChangesSink::tell_left(Desk& desk, const OldDirectory& directory) {
  bool told = false;
  Result<void> outcome;
  directory.for_each_left([&](const EntryRef& before) {
    if (!outcome) return;
    outcome = desk.writer.append(gone_entry(before));
    ++desk.counts.removed;
    told = true;
    if (before.is_directory()) desk.gone.push_back(path_of(desk.path, before.name()));
  });
  if (!outcome) return tl::unexpected(outcome.error());
  return told;
}

/// What was below directories that are gone, they themselves being told already.
Result<void> ChangesSink::tell_gone(Desk& desk) {
  for (const std::string& top : std::exchange(desk.gone, {})) {
    auto walk = TreeWalk::start(before_, top, {});
    if (!walk) return tl::unexpected(walk.error());
    std::string directory;
    for (;;) {
      const auto more = walk->next();
      if (!more) return tl::unexpected(more.error());
      if (!*more) break;
      if (walk->depth() == 0) continue;
      const std::string_view path = walk->path();
      directory = path.substr(0, path.rfind('/'));
      desk.writer.enter(directory, 0);
      if (auto added = desk.writer.append(gone_entry(walk->entry())); !added) return added;
      ++desk.counts.removed;
    }
  }
  return {};
}

std::shared_ptr<ChangesSink::Pending> ChangesSink::pending(const std::string& path) {
  const std::lock_guard lock(pending_mutex_);
  auto& state = pending_[path];
  if (!state) state = std::make_shared<Pending>();
  return state;
}

void ChangesSink::forget(const std::string& path) {
  const std::lock_guard lock(pending_mutex_);
  pending_.erase(path);
}

/// A root's own row lies in the directory above it.
bool ChangesSink::is_in_a_root(std::string_view directory) const {
  return std::any_of(plan_.roots.begin(), plan_.roots.end(),
                     [&](const PlannedRoot& root) { return lies_below(directory, root.path); });
}

ChangeCounts ChangesSink::counts() const {
  return {added_.load(std::memory_order_relaxed), changed_.load(std::memory_order_relaxed),
          removed_.load(std::memory_order_relaxed), unchanged_.load(std::memory_order_relaxed)};
}

std::string ChangesSink::problem() const {
  const std::lock_guard lock(problem_mutex_);
  return problem_;
}

}  // namespace pwalk::publish
