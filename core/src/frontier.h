#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "directory_node.h"
#include "pwalk/base/cache_line.h"
#include "work_stealing_deque.h"

namespace pwalk {

/// The directories that wait to be read. Each worker has its own end: it pushes
/// what it finds and takes the last found first, so a walk goes deep before it
/// goes wide; idle workers take the oldest, the largest subtrees, from others.
///
/// Bounded: a worker whose share is used up is told so (is_above_share) and puts
/// its directory aside. The end is exact: `outstanding` counts directories that
/// were pushed and not yet finished, wherever they are.
class Frontier {
 public:
  Frontier(unsigned workers, std::size_t budget_bytes, bool stealing);
  /// Drops what is left, if any.
  ~Frontier();

  /// By worker `worker` (or before the workers start). The node is taken over.
  void push(unsigned worker, NodePtr node);

  /// What `worker` found last, if anything of its own waits.
  NodePtr take_own(unsigned worker);

  /// Another worker's oldest.
  NodePtr steal(unsigned worker);

  /// Sleeps until there may be something to steal. False: nothing is outstanding
  /// any more, the walk is over.
  bool wait();

  /// One directory that was pushed is done with.
  void finish();

  /// Bytes of waiting directories of this worker, as a fraction of its share.
  bool is_above_share(unsigned worker) const { return waiting_bytes(worker) > share_; }
  bool is_far_above_share(unsigned worker) const { return waiting_bytes(worker) > 2 * share_; }
  bool is_below_half_share(unsigned worker) const { return waiting_bytes(worker) < share_ / 2; }

  std::uint64_t outstanding() const { return outstanding_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kDequeCapacity = 4096;
  static constexpr std::size_t kLeastShare = 64 * 1024;

  struct alignas(kFalseSharingRange) End {
    WorkStealingDeque<DirectoryNode*> deque{kDequeCapacity};
    DirectoryNode* reserve = nullptr;          ///< owner only: what did not fit the deque, newest first
    std::atomic<std::size_t> waiting_bytes{0};  ///< relaxed: a budget, not an order
  };

  std::size_t waiting_bytes(unsigned worker) const {
    return ends_[worker].waiting_bytes.load(std::memory_order_relaxed);
  }
  NodePtr taken_from(End& end, DirectoryNode* node);
  void refill(End& end);
  bool any_waiting() const;
  void wake(bool everybody);

  const unsigned workers_;
  const std::size_t share_;
  const bool stealing_;
  const std::unique_ptr<End[]> ends_;
  alignas(kFalseSharingRange) std::atomic<std::uint64_t> outstanding_{0};
  alignas(kFalseSharingRange) std::atomic<unsigned> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable bell_;
  std::uint64_t rings_ = 0;  ///< guarded by mutex_
};

}  // namespace pwalk
