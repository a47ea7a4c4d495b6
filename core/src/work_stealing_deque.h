#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "pwalk/base/cache_line.h"

namespace pwalk {

/// A deque with one owner and any number of thieves: the owner works at the
/// bottom (last in, first out), thieves take from the top (first in, first out).
/// Chase and Lev (SPAA 2005) in the form of Lê, Pop, Cohen and Zappa Nardelli
/// (PPoPP 2013), with a fixed capacity, and with sequentially consistent
/// operations where they have fences: the same order, in terms that
/// ThreadSanitizer understands.
///
/// T is a pointer. The deque never dereferences it, so a thief may read a slot
/// that is being reused: its compare-and-swap then fails.
template <class T>
class WorkStealingDeque {
 public:
  /// `capacity` must be a power of two.
  explicit WorkStealingDeque(std::size_t capacity)
      : mask_(std::int64_t(capacity) - 1), slots_(new std::atomic<T>[capacity]) {}

  /// Owner. False if full.
  bool push(T item) {
    // Relaxed: only the owner stores bottom_.
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed);
    // Acquire, with the thieves' compare-and-swap: their read of the slot that
    // is about to be reused came before.
    const std::int64_t top = top_.load(std::memory_order_acquire);
    if (bottom - top > mask_) return false;
    slot(bottom).store(item, std::memory_order_relaxed);
    // Publishes the slot to steal()'s load of bottom_. Sequentially consistent
    // and not just release, so that the owner's next look at a counter of
    // sleepers cannot come before it (see Frontier).
    bottom_.store(bottom + 1, std::memory_order_seq_cst);
    return true;
  }

  /// Owner. Null if empty.
  T pop() {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed) - 1;
    // The claim on the last slot must be visible before top_ is read, as a thief
    // reads top_ before bottom_: one of the two sees the other.
    bottom_.store(bottom, std::memory_order_seq_cst);
    std::int64_t top = top_.load(std::memory_order_seq_cst);
    if (top > bottom) {
      bottom_.store(bottom + 1, std::memory_order_relaxed);
      return nullptr;
    }
    T item = slot(bottom).load(std::memory_order_relaxed);
    if (top == bottom) {  // the last one: thieves may want it too
      if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst, std::memory_order_relaxed))
        item = nullptr;
      bottom_.store(bottom + 1, std::memory_order_relaxed);
    }
    return item;
  }

  /// Any thread. Null if empty, or if another thread was faster.
  T steal() {
    std::int64_t top = top_.load(std::memory_order_seq_cst);
    // With push(): the slot below bottom_ is filled.
    const std::int64_t bottom = bottom_.load(std::memory_order_seq_cst);
    if (top >= bottom) return nullptr;
    T item = slot(top).load(std::memory_order_relaxed);
    if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst, std::memory_order_relaxed))
      return nullptr;
    return item;
  }

  /// Any thread; out of date at once.
  bool looks_empty() const {
    return top_.load(std::memory_order_seq_cst) >= bottom_.load(std::memory_order_seq_cst);
  }

 private:
  std::atomic<T>& slot(std::int64_t index) { return slots_[index & mask_]; }

  const std::int64_t mask_;
  const std::unique_ptr<std::atomic<T>[]> slots_;
  alignas(kFalseSharingRange) std::atomic<std::int64_t> top_{0};     ///< thieves, and the owner for the last item
  alignas(kFalseSharingRange) std::atomic<std::int64_t> bottom_{0};  ///< stored by the owner alone
};

}  // namespace pwalk
