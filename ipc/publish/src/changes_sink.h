#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "change_writer.h"
#include "old_directory.h"
#include "pwalk/batch_sink.h"
#include "pwalk/publish/publisher.h"
#include "whole_images.h"

namespace pwalk::publish {

/// A walk's batches: whole to the images, and to the consumers only what differs from an older image.
///
/// Rows are compared with those of the same directory and name. Told are rows that are new or differ
/// (row_difference.h), as they are now, and names that are gone, with all that was below them, as rows
/// with the flag `vanished` and nothing but name, type and depth. A name can be called gone only once its
/// directory was read to the end (or has itself vanished): then all rows of the directory have come and its
/// record says so. Directory records are told where a row of the directory is, and of failures.
///
/// Thread-safe as BatchSink asks. Memory: two batches per worker, and a bit per old entry of directories that
/// come in several batches, while they do.
class ChangesSink final : public BatchSink {
 public:
  /// Everything outlives the sink. The roots of `plan` do not overlap.
  ChangesSink(const ScanPlan& plan, BatchSink& lanes, WholeImages& images, const ResultsFilesystem& before);

  /// Errors beyond those of BatchSink: EPROTO, EIO, the older image is damaged; also problem().
  Result<void> accept(unsigned worker, const schema::FinishedBatch& batch) override;
  std::size_t max_batch_bytes() const override { return lanes_.max_batch_bytes(); }

  ChangeCounts counts() const;
  /// Why the older image could not be read; "" if it could. Any thread.
  std::string problem() const;

 private:
  /// What one worker has for itself.
  struct Desk {
    Desk(const ScanPlan& plan, BatchSink& lanes, unsigned worker);
    std::span<const std::byte> aligned(std::span<const std::byte> bytes);

    std::unique_ptr<std::byte, void (*)(std::byte*)> copy;
    std::size_t capacity = 0;
    ChangeWriter writer;
    OldDirectory directory;          ///< one that comes in one batch
    std::string path;                ///< of the directory that is compared
    std::vector<std::string> gone;   ///< directories that are gone and whose entries are to be told
    ChangeCounts counts;             ///< of the batch
  };

  /// A directory that comes in several batches.
  struct Pending {
    std::mutex mutex;
    bool is_open = false;
    OldDirectory directory;
    std::uint64_t rows = 0;   ///< that have come
    bool told = false;        ///< some row of it
    std::optional<schema::DirectoryRecord> record;
  };

  /// A directory's part in a batch.
  struct Part {
    const schema::EntryBatchView& batch;
    std::uint32_t directory, first, end;
    std::optional<schema::DirectoryRecord> record;
    std::uint32_t rows() const { return end - first; }
  };

  Desk& desk_of(unsigned worker);
  Result<void> tell_changes(Desk& desk, const schema::EntryBatchView& batch);
  static Part next_part(const schema::EntryBatchView& batch, std::uint32_t& row, std::uint32_t& record);
  Result<void> tell_part(Desk& desk, const Part& part);
  Result<void> tell_roots(Desk& desk, const Part& part);
  Result<void> tell_whole(Desk& desk, const Part& part);
  Result<void> tell_piece(Desk& desk, const Part& part);
  Result<bool> compare(Desk& desk, const Part& part, OldDirectory& directory);
  Result<bool> tell_row(Desk& desk, const EntryRef& before, const EntryRef& now);
  Result<void> close(Desk& desk, const OldDirectory& directory, const schema::DirectoryRecord& record, bool told);
  Result<bool> tell_left(Desk& desk, const OldDirectory& directory);
  Result<void> tell_gone(Desk& desk);
  std::shared_ptr<Pending> pending(const std::string& path);
  void forget(const std::string& path);
  bool is_in_a_root(std::string_view directory) const;

  const ScanPlan& plan_;
  BatchSink& lanes_;
  WholeImages& images_;
  const ResultsFilesystem& before_;
  const schema::ColumnSet compared_;
  std::vector<std::unique_ptr<Desk>> desks_;  ///< by worker; each made and used by that one

  std::mutex pending_mutex_;
  std::unordered_map<std::string, std::shared_ptr<Pending>> pending_;  ///< by path; guarded by pending_mutex_

  // Counters only, relaxed: added to after each batch.
  std::atomic<std::uint64_t> added_{0}, changed_{0}, removed_{0}, unchanged_{0};
  mutable std::mutex problem_mutex_;
  std::string problem_;  ///< guarded by problem_mutex_
};

}  // namespace pwalk::publish
