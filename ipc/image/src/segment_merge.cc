#include "segment_merge.h"

#include <algorithm>
#include <vector>

#include "checksum.h"
#include "segment_writer.h"

namespace pwalk::image {
namespace {

using layout::DirectoryEntryKind;

/// Reads the pages of one kind back, front to back.
template <class Page>
class PageCursor {
 public:
  PageCursor(const AppendFile& file, std::uint64_t offset, std::uint64_t entries)
      : file_(&file), offset_(offset), left_(entries) {}

  /// Loads the next page when the last is used up. Call before current().
  Result<void> settle() {
    if (left_ == 0 || at_ < loaded_) return {};
    if (auto read = file_->read_at(offset_, std::as_writable_bytes(std::span(&page_, 1))); !read) return read;
    const auto content = bytes_of(page_).subspan(sizeof(std::uint64_t));
    if (checksum(content, offset_) != page_.header.checksum)
      return fail(EIO, "'" + file_->partial() + "': the index page at offset " + std::to_string(offset_) + " changed after it was written");
    offset_ += layout::kPageBytes;
    loaded_ = std::uint32_t(std::min<std::uint64_t>(left_, Page::kCapacity));
    at_ = 0;
    return {};
  }
  bool done() const { return left_ == 0; }
  auto hash() const { return page_.hashes[at_]; }
  const auto& locator() const { return page_.locators[at_]; }
  void advance() { ++at_, --left_; }

 private:
  const AppendFile* file_;
  std::uint64_t offset_, left_;
  std::uint32_t at_ = 0, loaded_ = 0;
  Page page_{};
};

/// One segment being merged: its directories, and its names in step with them.
struct Source {
  PageCursor<layout::DirectoryPage> directories;
  PageCursor<layout::NamePage> names;
  std::uint32_t group_names = 0;  // name entries of the current hash that are left
};

class Merge {
 public:
  Merge(AppendFile& file, std::span<const layout::SegmentRow> segments) : file_(&file) {
    for (const layout::SegmentRow& row : segments) {
      sources_.push_back({{file, row.directories_offset, row.directory_entries},
                          {file, row.names_offset, row.name_entries}});
      name_entries_ += row.name_entries;
    }
  }

  Result<layout::SegmentRow> run() {
    auto segment = SegmentWriter::begin(*file_, name_entries_);
    if (!segment) return tl::unexpected(segment.error());
    for (;;) {
      if (auto settled = settle(); !settled) return tl::unexpected(settled.error());
      const Source* least = least_source();
      if (!least) return segment->finish();
      if (auto merged = merge_hash(*segment, least->directories.hash()); !merged)
        return tl::unexpected(merged.error());
    }
  }

 private:
  Result<void> settle() {
    for (Source& source : sources_)
      if (auto settled = source.directories.settle(); !settled) return settled;
    return {};
  }

  const Source* least_source() const {
    const Source* least = nullptr;
    for (const Source& source : sources_)
      if (!source.directories.done() && (!least || source.directories.hash() < least->directories.hash()))
        least = &source;
    return least;
  }

  static bool at(const Source& source, std::uint64_t hash, DirectoryEntryKind kind) {
    return !source.directories.done() && source.directories.hash() == hash &&
           source.directories.locator().kind == kind;
  }

  Result<void> merge_hash(SegmentWriter& segment, std::uint64_t hash) {
    if (auto done = merge_names(segment, hash); !done) return done;
    for (const auto kind : {DirectoryEntryKind::run, DirectoryEntryKind::named_run})
      for (Source& source : sources_)
        if (auto done = copy_runs(segment, source, hash, kind); !done) return done;
    return {};
  }

  /// Oldest segment first, so the runs of a kind stay in the order of their batches.
  Result<void> copy_runs(SegmentWriter& segment, Source& source, std::uint64_t hash, DirectoryEntryKind kind) {
    while (at(source, hash, kind)) {
      if (auto done = segment.add_directory(hash, source.directories.locator()); !done) return done;
      source.directories.advance();
      if (auto settled = source.directories.settle(); !settled) return settled;
    }
    return {};
  }

  /// The names entries of all sources become one, and their sorted names one sorted list.
  Result<void> merge_names(SegmentWriter& segment, std::uint64_t hash) {
    std::uint64_t total = 0;
    for (Source& source : sources_) {
      if (!at(source, hash, DirectoryEntryKind::names)) continue;
      source.group_names = source.directories.locator().name_count();
      total += source.group_names;
      source.directories.advance();
      if (auto settled = source.directories.settle(); !settled) return settled;
    }
    if (total == 0) return {};
    if (total > 0xffffffff) return fail(EFBIG, "'" + file_->partial() + "': a directory with more than 2^32 entries");
    const auto entry = layout::Locator::names(segment.names_so_far(), std::uint32_t(total));
    if (auto done = segment.add_directory(hash, entry); !done) return done;
    for (; total != 0; --total)
      if (auto done = copy_least_name(segment); !done) return done;
    return {};
  }

  Result<void> copy_least_name(SegmentWriter& segment) {
    Source* least = nullptr;
    for (Source& source : sources_) {
      if (source.group_names == 0) continue;
      if (auto settled = source.names.settle(); !settled) return settled;
      if (!least || source.names.hash() < least->names.hash()) least = &source;
    }
    --least->group_names;
    auto done = segment.add_name(least->names.hash(), least->names.locator());
    least->names.advance();
    return done;
  }

  AppendFile* file_;
  std::vector<Source> sources_;
  std::uint64_t name_entries_ = 0;
};

/// The batch tables of all segments, one after the other.
Result<void> join_batch_tables(AppendFile& file, std::span<const layout::SegmentRow> segments, layout::SegmentRow& row) {
  row.first_batch = segments.front().first_batch;
  row.batch_count = 0;
  for (const layout::SegmentRow& segment : segments) row.batch_count += segment.batch_count;
  auto space = file.reserve(row.batch_count * sizeof(layout::BatchRow), layout::kObjectAlignment);
  if (!space) return tl::unexpected(space.error());
  row.batches_offset = *space;

  RunningChecksum sum(row.batches_offset);
  std::vector<layout::BatchRow> piece(1024);
  std::uint64_t to = row.batches_offset;
  for (const layout::SegmentRow& segment : segments)
    for (std::uint32_t i = 0; i < segment.batch_count; i += std::uint32_t(piece.size())) {
      const auto rows = std::span(piece).first(std::min<std::size_t>(piece.size(), segment.batch_count - i));
      const std::uint64_t from = segment.batches_offset + i * sizeof(layout::BatchRow);
      if (auto read = file.read_at(from, std::as_writable_bytes(rows)); !read) return read;
      if (auto wrote = file.write_at(to, std::as_bytes(rows)); !wrote) return wrote;
      sum.add(std::as_bytes(rows));
      to += rows.size_bytes();
    }
  row.batches_checksum = sum.value();
  return {};
}

}  // namespace

Result<layout::SegmentRow> merge_segments(AppendFile& file, std::span<const layout::SegmentRow> segments) {
  auto row = Merge(file, segments).run();
  if (!row) return row;
  if (auto joined = join_batch_tables(file, segments, *row); !joined) return tl::unexpected(joined.error());
  return row;
}

Result<void> append_batch_table(AppendFile& file, std::span<const layout::BatchRow> table, layout::SegmentRow& row) {
  auto offset = file.append(std::as_bytes(table), layout::kObjectAlignment);
  if (!offset) return tl::unexpected(offset.error());
  row.batches_offset = *offset;
  row.batches_checksum = checksum(std::as_bytes(table), *offset);
  row.batch_count = std::uint32_t(table.size());
  return {};
}

}  // namespace pwalk::image
