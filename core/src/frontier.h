#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "directory_node.h"
#include "pwalk/base/cache_line.h"
#include "server_queues.h"
#include "work_stealing_deque.h"

namespace pwalk {

/// The directories that wait to be read. Each worker has its own end: it pushes
/// what it finds and takes the last found first, so a walk goes deep before it
/// goes wide; idle workers take the oldest, the largest subtrees, from others. Where a
/// file system has several metadata servers its directories wait by server (ServerQueues),
/// and whoever has nothing of its own takes from there.
///
/// Bounded: a worker whose share is used up is told so (is_above_share) and puts
/// its directory aside.
///
/// The end is exact, and costs no shared counter: every worker counts, for itself
/// alone, the directories it pushed and those it finished. Who reads all `finished`
/// and then all `pushed`, and finds the sums equal, knows that nothing is outstanding:
/// a finish that was read makes visible the push of that directory and of all its
/// children (release and acquire, below), so a directory still outstanding would
/// have been counted as pushed, it or one it lies in, and the roots always are.
class Frontier {
 public:
  Frontier(unsigned workers, std::size_t budget_bytes, bool stealing);
  /// Drops what is left, if any.
  ~Frontier();

  /// By worker `worker` (or before the workers start). The node is taken over. `server`: the
  /// metadata server that is thought to have it, a slot of ServerQueues; it needs stealing.
  void push(unsigned worker, NodePtr node, unsigned server = ServerQueues::kNoServer);

  /// What `worker` found last, if anything of its own waits, else what waits by server.
  NodePtr take_own(unsigned worker);

  /// By `worker`: it reads a directory of this metadata server from here on.
  void serve(unsigned worker, unsigned server) { servers_.serve(worker, server); }

  /// Another worker's oldest.
  NodePtr steal(unsigned worker);

  /// `worker` sleeps until there may be something to steal. False: nothing is outstanding
  /// any more, the walk is over.
  bool wait(unsigned worker);

  /// Workers from number `count` on are surplus and park when they can. Any thread.
  void set_active(unsigned count);

  /// Whether `worker` should park: it is surplus, and nobody but itself could take
  /// what it still has (that is so of its reserve only).
  bool should_park(unsigned worker) const {
    return worker >= active_.load(std::memory_order_relaxed) && !ends_[worker].reserve;
  }

  /// Sleeps until it is wanted again. False: the walk is over.
  bool park(unsigned worker);

  /// How many workers are not surplus; any thread.
  unsigned active() const { return std::min(workers_, active_.load(std::memory_order_relaxed)); }

  /// Workers that wait for something to steal, parked ones not counted; any thread.
  unsigned sleepers() const { return sleepers_.load(std::memory_order_relaxed); }

  /// Parts of large directories wait beside the directories (SplitDirectories); any thread.
  void add_parts(unsigned count);
  void remove_parts(unsigned count) { parts_.fetch_sub(count, std::memory_order_relaxed); }
  bool has_parts() const { return parts_.load(std::memory_order_seq_cst) != 0; }

  /// `worker` is done with one directory that was pushed, by whomever.
  void finish(unsigned worker);

  /// Bytes of waiting directories of this worker, and of what waits by server its part, as
  /// a fraction of its share.
  bool is_above_share(unsigned worker) const { return waiting_bytes(worker) > share_; }
  bool is_far_above_share(unsigned worker) const { return waiting_bytes(worker) > 2 * share_; }
  bool is_below_half_share(unsigned worker) const { return waiting_bytes(worker) < share_ / 2; }

  /// Directories pushed and not finished; exact only when it is 0.
  std::uint64_t outstanding() const;

 private:
  static constexpr std::size_t kLeastShare = 64 * 1024;

  struct alignas(kFalseSharingRange) End {
    std::optional<WorkStealingDeque<DirectoryNode*>> deque;  ///< set once, before the workers start
    DirectoryNode* reserve = nullptr;          ///< owner only: what did not fit the deque, newest first
    bool moved_over = false;                   ///< owner only: what waited here by server was queued there
    std::atomic<std::size_t> waiting_bytes{0};  ///< relaxed: a budget, not an order
    std::atomic<std::uint64_t> pushed{0};       ///< stored by the owner alone
    std::atomic<std::uint64_t> finished{0};     ///< likewise; release, with outstanding()
  };

  std::size_t waiting_bytes(unsigned worker) const {
    return ends_[worker].waiting_bytes.load(std::memory_order_relaxed) + servers_.waiting_bytes() / workers_;
  }
  NodePtr taken_from(End& end, DirectoryNode* node);
  void refill(End& end);
  bool keep(End& end, DirectoryNode* node);
  void move_over(End& end);
  bool any_waiting() const;
  void wake(unsigned count);
  void wake_everybody();

  const unsigned workers_;
  const std::size_t share_;
  const bool stealing_;
  const std::size_t deque_capacity_;
  const std::unique_ptr<End[]> ends_;
  ServerQueues servers_;
  alignas(kFalseSharingRange) std::atomic<unsigned> sleepers_{0};
  std::atomic<unsigned> parts_{0};  ///< sequentially consistent where added and looked at, with sleepers_
  std::mutex mutex_;
  std::condition_variable bell_;
  std::condition_variable parking_;
  std::uint64_t rings_ = 0;  ///< guarded by mutex_
  std::atomic<unsigned> active_;  ///< relaxed: a surplus worker parks a little later; waking is under mutex_
};

}  // namespace pwalk
