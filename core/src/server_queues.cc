#include "server_queues.h"

#include <utility>

namespace pwalk {

ServerQueues::~ServerQueues() {
  for (Queue& queue : queues_)
    while (queue.newest) NodePtr(std::exchange(queue.newest, queue.newest->next_reserved), false);
}

void ServerQueues::serve(unsigned worker, unsigned slot) {
  if (at_[worker] == slot) return;
  if (slot != kNoServer) seen_.fetch_or(std::uint64_t{1} << slot, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  move(worker, slot);
}

void ServerQueues::move(unsigned worker, unsigned slot) {
  if (at_[worker] != kNoServer) --queues_[at_[worker]].threads;
  if (slot != kNoServer) ++queues_[slot].threads;
  at_[worker] = slot;
}

void ServerQueues::push(DirectoryNode* node) {
  waiting_bytes_.fetch_add(node->footprint(), std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  Queue& queue = queues_[node->server];
  node->next_reserved = queue.newest;
  queue.newest = node;
  size_.store(size_.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
}

DirectoryNode* ServerQueues::take(unsigned worker) {
  if (looks_empty()) return nullptr;
  const std::lock_guard lock(mutex_);
  // It leaves where it was, and that counts too.
  const auto threads_at = [&](unsigned slot) { return queues_[slot].threads - (at_[worker] == slot); };
  unsigned best = kNoServer;
  for (unsigned slot = 0; slot < kSlots; ++slot)
    if (queues_[slot].newest && (best == kNoServer || threads_at(slot) < threads_at(best))) best = slot;
  if (best == kNoServer) return nullptr;
  DirectoryNode* const node = queues_[best].newest;
  queues_[best].newest = node->next_reserved;
  size_.store(size_.load(std::memory_order_relaxed) - 1, std::memory_order_seq_cst);
  waiting_bytes_.fetch_sub(node->footprint(), std::memory_order_relaxed);
  move(worker, best);
  return node;
}

}  // namespace pwalk
