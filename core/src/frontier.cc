#include "frontier.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace pwalk {
namespace {

/// More workers than these wait for servers, and their deques are short.
constexpr unsigned kFewWorkers = 16;

}  // namespace

Frontier::Frontier(unsigned workers, std::size_t budget_bytes, bool stealing)
    : workers_(workers),
      share_(std::max(budget_bytes / workers, kLeastShare)),
      stealing_(stealing),
      deque_capacity_(workers <= kFewWorkers ? 4096 : 512),
      ends_(new End[workers]),
      servers_(workers),
      active_(workers) {
  for (unsigned worker = 0; worker < workers; ++worker) ends_[worker].deque.emplace(deque_capacity_);
}

Frontier::~Frontier() {
  for (unsigned worker = 0; worker < workers_; ++worker)
    while (take_own(worker)) {
    }
}

void Frontier::push(unsigned worker, NodePtr node, unsigned server) {
  End& end = ends_[worker];
  // Before the node can be taken: whoever finishes it has seen this.
  end.pushed.store(end.pushed.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  DirectoryNode* const raw = node.detach();
  raw->server = std::uint8_t(server);
  if (server != ServerQueues::kNoServer && servers_.is_in_use())
    servers_.push(raw);
  else if (!keep(end, raw))
    return;
  // With wait(): its sleeper is counted before it looks at the deques, ours is
  // pushed before we look at the sleepers, all sequentially consistent. So either
  // it sees the node, or we see the sleeper.
  if (stealing_ && sleepers_.load(std::memory_order_seq_cst) != 0) wake(1);
}

// False: in the reserve, where nobody else looks.
bool Frontier::keep(End& end, DirectoryNode* node) {
  end.waiting_bytes.fetch_add(node->footprint(), std::memory_order_relaxed);
  if (end.deque->push(node)) return true;
  node->next_reserved = end.reserve;
  end.reserve = node;
  return false;
}

// What was found before there were two servers; the oldest first, so that the newest is on
// top there too. Needs no memory, since what is in no list is lost.
void Frontier::move_over(End& end) {
  end.moved_over = true;
  DirectoryNode* oldest = nullptr;
  const auto put = [&](DirectoryNode* node) { node->next_reserved = std::exchange(oldest, node); };
  while (end.reserve) put(std::exchange(end.reserve, end.reserve->next_reserved));
  while (DirectoryNode* node = end.deque->pop()) put(node);
  while (oldest) {
    DirectoryNode* const node = std::exchange(oldest, oldest->next_reserved);
    end.waiting_bytes.fetch_sub(node->footprint(), std::memory_order_relaxed);
    if (node->server == ServerQueues::kNoServer)
      keep(end, node);
    else
      servers_.push(node);
  }
  if (stealing_ && sleepers_.load(std::memory_order_seq_cst) != 0) wake_everybody();
}

NodePtr Frontier::take_own(unsigned worker) {
  End& end = ends_[worker];
  if (servers_.is_in_use() && !end.moved_over) move_over(end);
  DirectoryNode* node = end.deque->pop();
  if (!node && end.reserve) {
    refill(end);
    node = end.deque->pop();
  }
  return node ? taken_from(end, node) : NodePtr(servers_.take(worker), false);
}

NodePtr Frontier::steal(unsigned worker) {
  for (unsigned turn = 1; stealing_ && turn < workers_; ++turn) {
    End& victim = ends_[(worker + turn) % workers_];
    // A lost race is tried again: the deque may hold more.
    while (!victim.deque->looks_empty())
      if (DirectoryNode* node = victim.deque->steal()) return taken_from(victim, node);
  }
  return {};
}

NodePtr Frontier::taken_from(End& end, DirectoryNode* node) {
  if (node) end.waiting_bytes.fetch_sub(node->footprint(), std::memory_order_relaxed);
  return {node, false};
}

// Oldest at the top of the deque, where thieves look: the list is newest first. Needs no
// memory, since what is in no list is lost.
void Frontier::refill(End& end) {
  DirectoryNode* oldest = nullptr;
  for (std::size_t count = 0; end.reserve && count < deque_capacity_ / 2; ++count) {
    DirectoryNode* const node = std::exchange(end.reserve, end.reserve->next_reserved);
    node->next_reserved = std::exchange(oldest, node);
  }
  while (oldest) end.deque->push(std::exchange(oldest, oldest->next_reserved));  // fits: the deque was empty
  if (stealing_ && sleepers_.load(std::memory_order_seq_cst) != 0) wake_everybody();
}

bool Frontier::wait(unsigned worker) {
  servers_.serve(worker, ServerQueues::kNoServer);
  if (outstanding() == 0) {
    wake_everybody();  // the others may have gone to sleep before the last was finished
    return false;
  }
  std::unique_lock lock(mutex_);
  const std::uint64_t heard = rings_;
  sleepers_.fetch_add(1, std::memory_order_seq_cst);  // with push()
  if (outstanding() != 0 && !(stealing_ && any_waiting()))
    // The time limit is for safety only; every push and the end ring the bell.
    bell_.wait_for(lock, std::chrono::seconds(1), [&] { return rings_ != heard; });
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

void Frontier::set_active(unsigned count) {
  {
    const std::lock_guard lock(mutex_);
    active_.store(count, std::memory_order_relaxed);
  }
  parking_.notify_all();
}

// What it leaves in its deque others take. A bell that was meant for it is passed on.
bool Frontier::park(unsigned worker) {
  servers_.serve(worker, ServerQueues::kNoServer);
  if (outstanding() == 0) {
    wake_everybody();
    return false;
  }
  if (stealing_ && any_waiting()) wake_everybody();
  std::unique_lock lock(mutex_);
  if (worker >= active_.load(std::memory_order_relaxed) && outstanding() != 0)
    parking_.wait_for(lock, std::chrono::seconds(1));
  return true;
}

// With wait(), as push().
void Frontier::add_parts(unsigned count) {
  parts_.fetch_add(count, std::memory_order_seq_cst);
  const unsigned sleepers = sleepers_.load(std::memory_order_seq_cst);
  if (sleepers != 0) wake(std::min(count, sleepers));
}

bool Frontier::any_waiting() const {
  return has_parts() || !servers_.looks_empty() || std::any_of(ends_.get(), ends_.get() + workers_, [](const End& end) { return !end.deque->looks_empty(); });
}

void Frontier::finish(unsigned worker) {
  End& end = ends_[worker];
  end.finished.store(end.finished.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

std::uint64_t Frontier::outstanding() const {
  std::uint64_t finished = 0, pushed = 0;
  for (unsigned worker = 0; worker < workers_; ++worker)
    finished += ends_[worker].finished.load(std::memory_order_acquire);
  for (unsigned worker = 0; worker < workers_; ++worker)
    pushed += ends_[worker].pushed.load(std::memory_order_relaxed);
  return pushed - finished;
}

// Two hundred threads that wake for one piece of work cost more than it.
void Frontier::wake(unsigned count) {
  {
    const std::lock_guard lock(mutex_);
    ++rings_;
  }
  for (unsigned woken = 0; woken < count; ++woken) bell_.notify_one();
}

void Frontier::wake_everybody() {
  {
    const std::lock_guard lock(mutex_);
    ++rings_;
  }
  bell_.notify_all();
  if (outstanding() == 0) parking_.notify_all();
}

}  // namespace pwalk
