#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "directory_node.h"

namespace pwalk {

/// Directories of file systems with several metadata servers, a queue for each server,
/// so that threads spread over the servers instead of all waiting for one: who looks for
/// work gets the newest directory of that server which the fewest threads are with.
///
/// Not in use before threads have been with two different servers; until then the
/// frontier's deques do all, which need no lock.
///
/// Server numbers come from outside and may be anything: there are kSlots queues, and
/// servers whose numbers fall together share one. A directory is thought to be where the
/// one above it is, since nothing tells its server before it is opened; it may so wait in
/// the wrong queue, and serve() then puts the count right.
class ServerQueues {
 public:
  static constexpr unsigned kSlots = 64;
  static constexpr unsigned kNoServer = kSlots;  ///< a slot that is none

  explicit ServerQueues(unsigned workers) : at_(new unsigned[workers]) {
    for (unsigned worker = 0; worker < workers; ++worker) at_[worker] = kNoServer;
  }

  /// Drops what is left.
  ~ServerQueues();
  ServerQueues(const ServerQueues&) = delete;
  ServerQueues& operator=(const ServerQueues&) = delete;

  /// The queue of server number `server` of the file system `device`.
  static unsigned slot_of(std::uint64_t device, std::uint32_t server) {
    return unsigned((server + device * 0x9E3779B97F4A7C15u) % kSlots);
  }

  /// By `worker`: what it asks now goes to this server; kNoServer: to none, or to none that is known.
  void serve(unsigned worker, unsigned slot);

  /// Any thread: whether directories should wait here.
  bool is_in_use() const {
    const std::uint64_t seen = seen_.load(std::memory_order_relaxed);
    return (seen & (seen - 1)) != 0;
  }

  /// Any thread. The node is taken over, and waits where its `server` says.
  void push(DirectoryNode* node);

  /// By `worker`, which counts as being with that server from then on. Null if nothing waits.
  DirectoryNode* take(unsigned worker);

  /// Any thread; out of date at once. Sequentially consistent, with Frontier's sleepers.
  bool looks_empty() const { return size_.load(std::memory_order_seq_cst) == 0; }
  /// Any thread: of waiting directories.
  std::size_t waiting_bytes() const { return waiting_bytes_.load(std::memory_order_relaxed); }

 private:
  struct Queue {
    DirectoryNode* newest = nullptr;  ///< a list through next_reserved
    unsigned threads = 0;             ///< that are with this server
  };

  void move(unsigned worker, unsigned slot);

  std::mutex mutex_;
  std::array<Queue, kSlots> queues_;         ///< guarded by mutex_
  const std::unique_ptr<unsigned[]> at_;     ///< where each worker is; its own alone
  std::atomic<std::uint64_t> seen_{0};       ///< servers that anybody was with, a bit each; relaxed: learnt late is early enough
  std::atomic<std::size_t> size_{0};         ///< stored under mutex_
  std::atomic<std::size_t> waiting_bytes_{0};  ///< relaxed: a budget, not an order
};
static_assert(ServerQueues::kSlots == 64, "a bit of seen_ each");

}  // namespace pwalk
