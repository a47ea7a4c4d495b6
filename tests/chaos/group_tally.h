#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "pwalk/ipc/batch_lease.h"
#include "pwalk/ipc/scan_session.h"

/// Who of a group got which batch, as its members say it in memory that all processes of a round share.
namespace pwalk::ipc::chaos {

constexpr unsigned kWorkers = 2;
/// Rows of worker w are numbered from w * kWorkerStride.
constexpr std::uint64_t kWorkerStride = 1'000'000;
constexpr unsigned kMostBatchesPerWorker = 42;
constexpr unsigned kMostGroups = 2;

std::string group_name(unsigned number);

/// Where each worker's batches begin: by the worker before it publishes one (release), read by
/// who was given it (acquire).
using FirstRows = std::array<std::array<std::atomic<std::uint64_t>, kMostBatchesPerWorker>, kWorkers>;

/// One group of one round. Members count, with relaxed atomics, before they drop a batch; the round judges when
/// all processes have ended.
class GroupTally {
 public:
  /// A member was given the batch. "", or what is wrong with it.
  std::string count(const BatchLease& lease, const FirstRows& first_rows);

  /// Scanner, from its control thread: what became of the group so far. Once it was dissolved or evicted, the
  /// next member of that name may have begun anew.
  void follow(const GroupStatus& status);

  /// Scanner: it is over, as far as it was not dissolved, and what follow() was told is the last word.
  void ended() { ended_ = true; }

  /// Of `batches` of each worker. "", or what is wrong.
  std::string verdict(unsigned batches) const;

  std::uint64_t redelivered() const;
  /// All of it must have been done.
  bool done() const { return ended_ && !dissolved_; }

 private:
  struct Deliveries {
    std::atomic<std::uint32_t> fresh{0};   ///< not marked as redelivered
    std::atomic<std::uint32_t> marked{0};
  };
  std::array<std::array<Deliveries, kMostBatchesPerWorker>, kWorkers> batches_;
  /// As the scanner said last; relaxed.
  std::atomic<bool> ended_{false}, dissolved_{false};
  std::atomic<std::uint64_t> done_batches_{0}, redeliveries_{0}, poisoned_{0};
};

}  // namespace pwalk::ipc::chaos
