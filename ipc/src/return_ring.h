#pragma once

#include <cstdint>

#include "atomics.h"

/// The way back: one consumer (whose threads take turns) pushes the batches it
/// is done with, the scanner drains. Bounded; the consumer takes no batch for
/// whose return there might be no room, so that a push never waits.
namespace pwalk::ipc {

/// A returned batch: its first unit, and the low half of its sequence as a
/// check against returning a predecessor's place twice.
struct Return {
  std::uint32_t unit = 0;
  std::uint32_t sequence_low = 0;
  static constexpr Return unpack(std::uint64_t word) {
    return {std::uint32_t(word >> 32), std::uint32_t(word)};
  }
  constexpr std::uint64_t pack() const { return std::uint64_t(unit) << 32 | sequence_low; }
};

/// Consumer's end. Its caller serialises.
template <class Atomics>
class ReturnWriter {
 public:
  using Word = typename Atomics::template Word<std::uint64_t>;
  ReturnWriter(Word& tail, Word* ring, std::uint32_t slots) : tail_(tail), ring_(ring), mask_(slots - 1) {}

  /// Requires room, which the caller has kept.
  void push(Return returned) {
    Atomics::store_relaxed(ring_[pushed_ & mask_], returned.pack());
    // Pairs with the acquire in ReturnReader::drain.
    Atomics::store_release(tail_, ++pushed_);
  }
  std::uint64_t pushed() const { return pushed_; }

 private:
  Word& tail_;
  Word* ring_;
  std::uint64_t mask_;
  std::uint64_t pushed_ = 0;
};

/// Scanner's end. The ring lies on a page that the consumer can scribble on, so
/// the tail is looked at once, bounded, and only ever moves forward.
template <class Atomics>
class ReturnReader {
 public:
  using Word = typename Atomics::template Word<std::uint64_t>;
  ReturnReader(const Word& tail, Word& drained, const Word* ring, std::uint32_t slots)
      : tail_(tail), published_(drained), ring_(ring), slots_(slots) {}

  /// Hands each new entry to `take`. False: the tail is not one an honest
  /// consumer could have written, and nothing was taken.
  template <class Take>
  bool drain(Take&& take) {
    // Pairs with the release in ReturnWriter::push.
    const std::uint64_t tail = Atomics::load_acquire(tail_);
    if (tail - drained_ > slots_) return false;
    if (tail == drained_) return true;
    for (; drained_ != tail; ++drained_)
      take(Return::unpack(Atomics::load_relaxed(ring_[drained_ & (slots_ - 1)])));
    // Pairs with the acquire in the consumer's flow control: the slots may be written again.
    Atomics::store_release(published_, drained_);
    return true;
  }

 private:
  const Word& tail_;
  Word& published_;
  const Word* ring_;
  std::uint64_t slots_;
  std::uint64_t drained_ = 0;  ///< private: the consumer cannot move it
};

}  // namespace pwalk::ipc
