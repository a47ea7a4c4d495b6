#pragma once

#include <atomic>

namespace pwalk::ipc {

/// The atomics that the shared structures are written over. Each template in
/// lane_ring.h, return_ring.h, bell.h and starvation_gate.h takes such a policy,
/// so that a model checker can run the very same code over its own words.
/// Functions name their order; who they pair with is said where they are called.
struct StdAtomics {
  template <class T>
  using Word = std::atomic<T>;

  template <class T>
  static T load_relaxed(const Word<T>& word) {
    return word.load(std::memory_order_relaxed);
  }
  template <class T>
  static T load_acquire(const Word<T>& word) {
    return word.load(std::memory_order_acquire);
  }
  template <class T>
  static void store_relaxed(Word<T>& word, T value) {
    word.store(value, std::memory_order_relaxed);
  }
  template <class T>
  static void store_release(Word<T>& word, T value) {
    word.store(value, std::memory_order_release);
  }
  template <class T>
  static T fetch_add_acq_rel(Word<T>& word, T value) {
    return word.fetch_add(value, std::memory_order_acq_rel);
  }
  template <class T>
  static T exchange_acq_rel(Word<T>& word, T value) {
    return word.exchange(value, std::memory_order_acq_rel);
  }
  template <class T>
  static T fetch_or_acq_rel(Word<T>& word, T bits) {
    return word.fetch_or(bits, std::memory_order_acq_rel);
  }
  /// One attempt that does not fail spuriously; `expected` becomes what was found.
  template <class T>
  static bool compare_exchange_acq_rel(Word<T>& word, T& expected, T desired) {
    return word.compare_exchange_strong(expected, desired, std::memory_order_acq_rel,
                                        std::memory_order_relaxed);
  }
  /// Puts this thread's stores before its later loads, as seen by everybody who
  /// fences too. ThreadSanitizer does not model fences; no happens-before edge
  /// of ours rests on one, only the order of a store and a load (Dekker).
  static void fence_seq_cst() {
#pragma GCC diagnostic push
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif
    std::atomic_thread_fence(std::memory_order_seq_cst);
#pragma GCC diagnostic pop
  }
};

static_assert(std::atomic<unsigned long long>::is_always_lock_free &&
                  std::atomic<unsigned>::is_always_lock_free,
              "words in shared memory must not hide a lock");

}  // namespace pwalk::ipc
