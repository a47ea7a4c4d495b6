#pragma once

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pwalk/batch_sink.h"
#include "pwalk/schema/entry_batch_view.h"
#include "pwalk/schema/row_hash.h"

namespace pwalk::testing {

/// One row, read back out of a batch.
struct Row {
  std::string directory, name, target;
  schema::Entry entry;  ///< its name is empty; columns as in the batch
  std::string path() const { return directory + "/" + name; }
};

/// A sink that checks every batch as a consumer would and keeps what is in it.
class CollectingSink : public BatchSink {
 public:
  explicit CollectingSink(std::size_t most_bytes = std::size_t{64} << 20) : most_bytes_(most_bytes) {}

  Result<void> accept(unsigned, const schema::FinishedBatch& batch) override {
    const std::lock_guard lock(mutex_);
    if (refusing) return fail(ECANCELED, "the sink was stopped");
    if (batch.bytes.size() > most_bytes_) {
      oversized_ = true;
      return fail(EMSGSIZE, "larger than announced");
    }
    ++batches;
    keep(batch);
    return {};
  }
  std::size_t max_batch_bytes() const override { return most_bytes_; }

  std::vector<Row> rows;
  std::map<std::string, std::vector<schema::DirectoryRecord>> records;  ///< by path
  std::vector<std::string> complaints;                                  ///< what was wrong with batches
  std::uint64_t batches = 0, row_count = 0, record_count = 0;
  std::size_t longest_path = 0;  ///< of a directory
  bool keep_rows = true;         ///< false: only count, for trees with very long paths
  std::size_t most_rows = 0;
  std::atomic<bool> refusing{false};

  std::multimap<std::string, Row> by_path() const {
    std::multimap<std::string, Row> map;
    for (const Row& row : rows) map.emplace(row.path(), row);
    return map;
  }
  bool saw_oversized() const { return oversized_; }

 private:
  void keep(const schema::FinishedBatch& batch) {
    const std::unique_ptr<std::byte, void (*)(void*)> copy(
        static_cast<std::byte*>(std::aligned_alloc(64, (batch.bytes.size() + 63) / 64 * 64)), std::free);
    std::memcpy(copy.get(), batch.bytes.data(), batch.bytes.size());
    const auto view = schema::EntryBatchView::check({copy.get(), batch.bytes.size()});
    if (!view) return complaints.push_back(view.error().message());
    if (view->content_hash() != batch.content_hash || schema::hash_rows(*view) != batch.content_hash)
      complaints.push_back("content hash differs");
    most_rows = std::max<std::size_t>(most_rows, view->rows());
    row_count += view->rows();
    record_count += view->record_count();
    for (std::uint32_t directory = 0; directory < view->directory_count(); ++directory)
      longest_path = std::max(longest_path, view->directory_path_length(directory));
    if (!keep_rows) return;
    for (std::uint32_t row = 0; row < view->rows(); ++row) rows.push_back(row_of(*view, row));
    for (std::uint32_t index = 0; index < view->record_count(); ++index) {
      const schema::PlacedRecord placed = view->record(index);
      std::string path;
      view->append_directory_path(placed.directory, path);
      records[path].push_back(placed.record);
    }
  }

  static Row row_of(const schema::EntryBatchView& view, std::uint32_t row) {
    using schema::Column;
    Row out;
    view.append_directory_path(std::uint32_t(view.directory_index()[row]), out.directory);
    out.name = view.name(row);
    if (const schema::TextView& target = view.text(schema::Column::target)) out.target = target.at(row);
    const auto take = [&](Column column, auto& field) {
      const schema::ColumnView& from = view.column(column);
      if (!from || !from.is_valid(row)) return;
      field = from.at<std::remove_reference_t<decltype(field)>>(row);
      out.entry.known.insert(column);
    };
    schema::Entry& entry = out.entry;
    std::uint8_t operation = 0;
    take(Column::type, entry.type), take(Column::inode, entry.inode), take(Column::device, entry.device);
    take(Column::size, entry.size), take(Column::blocks, entry.blocks), take(Column::mode, entry.mode);
    take(Column::nlink, entry.nlink), take(Column::uid, entry.uid), take(Column::gid, entry.gid);
    take(Column::rdev, entry.rdev), take(Column::atime, entry.atime), take(Column::mtime, entry.mtime);
    take(Column::ctime, entry.ctime), take(Column::btime, entry.btime), take(Column::mount_id, entry.mount_id);
    take(Column::depth, entry.depth), take(Column::error, entry.error), take(Column::operation, operation);
    take(Column::flags, entry.flags);
    entry.operation = schema::Operation(operation);
    return out;
  }

  const std::size_t most_bytes_;
  std::mutex mutex_;
  bool oversized_ = false;
};

}  // namespace pwalk::testing
