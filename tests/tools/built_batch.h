#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "pwalk/base/cache_line.h"
#include "pwalk/schema/entry_batch_builder.h"
#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::tools {

/// An EntryBatchBuilder for batches that are small enough.
class SmallBatchBuilder {
 public:
  explicit SmallBatchBuilder(schema::ColumnSet columns) : builder_(columns, {}) {}
  void begin_directory(std::string_view path, std::uint64_t inode) { builder_.begin_directory(path, inode); }
  void append(const schema::Entry& entry) { EXPECT_TRUE(builder_.append(entry)); }
  void end_directory(const schema::DirectoryRecord& record) { EXPECT_TRUE(builder_.end_directory(record)); }
  schema::FinishedBatch finish() { return builder_.finish(); }

 private:
  schema::EntryBatchBuilder builder_;
};

/// A checked batch with what `fill` appends, in memory of its own.
class BuiltBatch {
 public:
  explicit BuiltBatch(const std::function<void(SmallBatchBuilder&)>& fill,
                      schema::ColumnSet columns = schema::ColumnSet::all()) {
    SmallBatchBuilder builder(columns);
    fill(builder);
    const auto finished = builder.finish();
    lines_.resize(finished.bytes.size() / kCacheLine + 1);
    std::memcpy(lines_.data(), finished.bytes.data(), finished.bytes.size());
    auto view = schema::EntryBatchView::check({reinterpret_cast<const std::byte*>(lines_.data()), finished.bytes.size()});
    EXPECT_TRUE(view) << (view ? "" : view.error().what);
    if (view) view_ = std::make_unique<schema::EntryBatchView>(*std::move(view));
  }
  const schema::EntryBatchView& view() const { return *view_; }

 private:
  struct alignas(kCacheLine) Line {
    std::byte bytes[kCacheLine];
  };
  std::vector<Line> lines_;
  std::unique_ptr<schema::EntryBatchView> view_;
};

/// A regular file with a different number in every column.
inline schema::Entry sample_file(std::string_view name) {
  schema::Entry entry;
  entry.name = name;
  entry.known = schema::ColumnSet::all();
  entry.type = 'f';
  entry.mode = 0100640;
  entry.inode = 11;
  entry.device = 12;
  entry.size = 13;
  entry.blocks = 14;
  entry.nlink = 15;
  entry.uid = 16;
  entry.gid = 17;
  entry.rdev = 18;
  entry.depth = 1;
  entry.mount_id = 20;
  entry.atime = 1'500'000'000;
  entry.mtime = -1'500'000'000;
  entry.ctime = -1;
  entry.btime = 4;
  return entry;
}

inline schema::Entry sample_directory(std::string_view name) {
  schema::Entry entry = sample_file(name);
  entry.type = 'd';
  entry.mode = 040755;
  return entry;
}

/// A row that could not be stat'ed: only its name, type, depth and errno are known.
inline schema::Entry unreadable(std::string_view name, std::uint32_t error) {
  schema::Entry entry;
  entry.name = name;
  entry.type = 'f';
  entry.depth = 1;
  entry.error = error;
  entry.operation = schema::Operation::statx;
  for (auto column : {schema::Column::type, schema::Column::depth, schema::Column::error, schema::Column::operation,
                      schema::Column::flags})
    entry.known.insert(column);
  return entry;
}

inline schema::DirectoryRecord complete_record(std::uint64_t entries, std::uint64_t bytes) {
  schema::DirectoryRecord record;
  record.entries = entries;
  record.bytes = bytes;
  record.flags = schema::kComplete;
  return record;
}

inline schema::DirectoryRecord unopened_record(std::uint32_t error) {
  schema::DirectoryRecord record;
  record.error = error;
  record.operation = schema::Operation::open;
  return record;
}

}  // namespace pwalk::tools
