#pragma once

#include <cstdint>

#include "atomics.h"

/// Wakes one sleeping consumer, and costs a publisher nothing when it is awake.
///
///   consumer                              scanner
///   waiting = n-th sleep                  head = n          (publish)
///   fence  ───────────┐          ┌─────── fence
///   anything there?   └── both ──┘        waiting?
///   no: futex_wait(bell, ticket)          yes: bell += 1, futex_wake
///
/// With a fence on both sides at least one of them sees the other's store, so no
/// wake is lost; a wake costs 5 to 7 µs, so none is made without a sleeper.
namespace pwalk::ipc {

template <class Atomics>
struct BellWords {
  typename Atomics::template Word<std::uint32_t> bell;     ///< the futex; only the scanner writes it
  typename Atomics::template Word<std::uint32_t> waiting;  ///< the sleep that the consumer is in or about to begin; 0: awake
};

/// Consumer: announces the sleep. After it, look again; if there is still
/// nothing, sleep while the bell has the value returned. `number`: not 0, and
/// another one each time, by which one that was stopped in its sleep is known.
template <class Atomics>
std::uint32_t announce_sleep(BellWords<Atomics>& words, std::uint32_t number = 1) {
  const std::uint32_t ticket = Atomics::load_acquire(words.bell);
  Atomics::store_relaxed(words.waiting, number);
  Atomics::fence_seq_cst();  // partner: the fence before must_ring()
  return ticket;
}

template <class Atomics>
void end_sleep(BellWords<Atomics>& words) {
  Atomics::store_relaxed(words.waiting, std::uint32_t{0});
}

/// Consumer: an announced sleep, as long as it lives. `count` is of all its sleeps, and outlives it.
template <class Atomics>
class Sleep {
 public:
  Sleep(BellWords<Atomics>& words, std::uint32_t& count)
      : words_(words), count_(count), ticket_(announce_sleep<Atomics>(words, next_number())) {}
  Sleep(const Sleep&) = delete;
  Sleep& operator=(const Sleep&) = delete;
  ~Sleep() { end_sleep<Atomics>(words_); }

  const typename Atomics::template Word<std::uint32_t>& word() const { return words_.bell; }
  std::uint32_t ticket() const { return ticket_; }
  /// It sleeps on, under another number.
  void look_up() { Atomics::store_relaxed(words_.waiting, next_number()); }
  /// Acquire, with ring().
  bool rung() const { return Atomics::load_acquire(words_.bell) != ticket_; }

 private:
  /// Never 0, which is for who is awake.
  std::uint32_t next_number() { return ++count_ != 0 ? count_ : ++count_; }

  BellWords<Atomics>& words_;
  std::uint32_t& count_;
  const std::uint32_t ticket_;
};

/// Scanner, after a release store and fence_seq_cst(): is there a sleeper?
template <class Atomics>
bool must_ring(const BellWords<Atomics>& words) {
  return Atomics::load_relaxed(words.waiting) != 0;
}

/// Scanner: changes the bell, so that a sleep about to begin does not. The futex wake follows.
template <class Atomics>
void ring(BellWords<Atomics>& words) {
  Atomics::fetch_add_acq_rel(words.bell, std::uint32_t{1});
}

}  // namespace pwalk::ipc
