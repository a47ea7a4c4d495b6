#pragma once

#include <string_view>

#include "pwalk/batch_sink.h"
#include "pwalk/schema/batch_packer.h"
#include "pwalk/scan_plan.h"
#include "sys/calls.h"
#include "worker_stats.h"

namespace pwalk {

/// Packs one worker's rows into batches and hands them to the sink: when one is
/// full, and when one has grown older than --batch-age-ms, so that a slow
/// filesystem still streams. One per worker.
class BatchWriter {
 public:
  BatchWriter(unsigned worker, const ScanPlan& plan, BatchSink& sink, const sys::Calls& calls, WorkerStats& stats);

  /// What follows lies in the directory `path`, borrowed until the next call.
  void enter(std::string_view path, std::uint64_t inode) { packer_.enter(path, inode); }

  /// False: path and name together are more than the sink ever takes.
  [[nodiscard]] bool append(const schema::Entry& entry);
  /// Likewise.
  [[nodiscard]] bool close(const schema::DirectoryRecord& record);

  /// Whether a row with a name of this length can be carried from a directory
  /// with a path of that length.
  bool can_carry(std::size_t path_bytes, std::size_t name_bytes) const {
    return path_bytes + name_bytes + kBatchOverhead <= most_bytes_;
  }

  void flush();
  void flush_if_old();

  /// Hands over nothing from now on: the builder may be broken (no memory).
  void give_up() { stopped_ = true; }

  /// The sink takes nothing any more.
  bool is_stopped() const { return stopped_; }

 private:
  /// What a batch of one row takes beside its path and name, generously.
  static constexpr std::size_t kBatchOverhead = 8192;

  template <class Put>
  bool put(std::size_t name_bytes, Put&& put_row);
  void hand_over(const schema::FinishedBatch& batch);

  const unsigned worker_;
  BatchSink& sink_;
  const sys::Calls& calls_;
  WorkerStats& stats_;
  const std::size_t most_bytes_;  ///< the sink takes no larger batch
  const std::uint64_t age_limit_ns_;
  schema::BatchPacker packer_;
  std::uint64_t started_ns_ = 0;    ///< when the batch got its first row
  bool stopped_ = false;
};

}  // namespace pwalk
