#pragma once

#include <cstdint>

#include "atomics.h"

/// Consumers return batches without a system call, unless the scanner is out of
/// room and says so here.
///
///   scanner                               consumer
///   starved = 1                           push to the return ring
///   fence  ───────────┐          ┌─────── fence
///   drain again       └── both ──┘        starved?
///   nothing: wait for the eventfd         yes: write the eventfd
namespace pwalk::ipc {

template <class Atomics>
using StarvedWord = typename Atomics::template Word<std::uint32_t>;

/// Scanner: after it, drain once more before waiting.
template <class Atomics>
void declare_starved(StarvedWord<Atomics>& starved) {
  Atomics::store_relaxed(starved, std::uint32_t{1});
  Atomics::fence_seq_cst();  // partner: the fence in must_kick()
}

template <class Atomics>
void end_starvation(StarvedWord<Atomics>& starved) {
  Atomics::store_relaxed(starved, std::uint32_t{0});
}

/// Consumer, after a push: does the scanner wait for it?
template <class Atomics>
bool must_kick(const StarvedWord<Atomics>& starved) {
  Atomics::fence_seq_cst();  // partner: the fence in declare_starved()
  return Atomics::load_relaxed(starved) != 0;
}

}  // namespace pwalk::ipc
