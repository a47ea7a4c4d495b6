#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "atomics.h"

/// A lane: one producer at a time writes descriptors, any number of consumers
/// read them, each at its own cursor.
///
///      scanner's page (read-only for consumers)       consumer's own page
///      head ──► next sequence to be written           cursor ──► next to be taken
///      ring[sequence % slots]                                    | kRevoked
///
/// The producer decides by its private books when a slot may be written again
/// (every cursor has passed it); nothing here looks at a cursor.
namespace pwalk::ipc {

/// Where one batch lies and what it should hold. 64 bytes on the wire.
struct BatchDescriptor {
  std::uint64_t sequence = 0;  ///< within the lane, from 0
  std::uint64_t offset = 0;    ///< bytes from the pool's start; a multiple of kUnitBytes
  std::uint32_t length = 0;    ///< bytes
  std::uint32_t rows = 0;
  std::uint64_t rows_before = 0;   ///< of earlier batches in this lane
  std::uint64_t content_hash = 0;  ///< as stated by whoever built the batch
  std::uint64_t file_bytes = 0;
  std::uint32_t records = 0;
  std::uint32_t flags = 0;  ///< none so far
  std::uint64_t reserved = 0;
  friend bool operator==(const BatchDescriptor&, const BatchDescriptor&) = default;
};
static_assert(sizeof(BatchDescriptor) == 64);

/// Set in a cursor by whoever ends the subscription: the consumer when it
/// detaches, the scanner when it evicts. Nothing is taken through it again.
inline constexpr std::uint64_t kRevoked = std::uint64_t{1} << 63;

constexpr std::uint64_t cursor_position(std::uint64_t word) {
  return word & ~kRevoked;
}
constexpr bool cursor_revoked(std::uint64_t word) {
  return (word & kRevoked) != 0;
}

/// The words of one descriptor. Atomic because a consumer that is being evicted
/// may read a slot while it is written again: it then reads nonsense, which its
/// compare-and-swap refuses.
template <class Atomics>
struct DescriptorSlot {
  std::array<typename Atomics::template Word<std::uint64_t>, 8> words;
};
static_assert(sizeof(DescriptorSlot<StdAtomics>) == sizeof(BatchDescriptor));

/// Producer side of one lane. Not thread-safe: whoever holds the lane uses it.
template <class Atomics>
class LaneWriter {
 public:
  LaneWriter(typename Atomics::template Word<std::uint64_t>& head, DescriptorSlot<Atomics>* ring,
             std::uint32_t slots)
      : head_(head), ring_(ring), mask_(slots - 1) {}

  /// Makes `descriptor` and every byte written before visible. Its sequence must
  /// be the head, and the slot free.
  void publish(const BatchDescriptor& descriptor) {
    const auto words = std::bit_cast<std::array<std::uint64_t, 8>>(descriptor);
    auto& slot = ring_[descriptor.sequence & mask_];
    for (std::size_t i = 0; i < words.size(); ++i) Atomics::store_relaxed(slot.words[i], words[i]);
    // Pairs with the acquire in LaneReader::take.
    Atomics::store_release(head_, descriptor.sequence + 1);
  }

 private:
  typename Atomics::template Word<std::uint64_t>& head_;
  DescriptorSlot<Atomics>* ring_;
  std::uint64_t mask_;
};

/// Copies a slot that the caller knows to be written, or will know to have been.
template <class Atomics>
BatchDescriptor read_slot(const DescriptorSlot<Atomics>& slot) {
  std::array<std::uint64_t, 8> words;
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = Atomics::load_relaxed(slot.words[i]);
  return std::bit_cast<BatchDescriptor>(words);
}

enum class Taking : std::uint8_t { empty, taken, revoked };

/// Consumer side of one lane. One thread at a time.
template <class Atomics>
class LaneReader {
 public:
  using Word = typename Atomics::template Word<std::uint64_t>;

  LaneReader(const Word& head, const DescriptorSlot<Atomics>* ring, std::uint32_t slots, Word& cursor)
      : head_(head), ring_(ring), mask_(slots - 1), cursor_(cursor) {}

  bool ready() const {
    return cursor_position(Atomics::load_relaxed(cursor_)) < Atomics::load_acquire(head_);
  }

  /// Copies the next descriptor and moves the cursor past it. `known_head` is the caller's memory of
  /// the head, 0 to begin with: the scanner's line is looked at again only when all below was taken.
  Taking take(BatchDescriptor& descriptor, std::uint64_t& known_head) {
    std::uint64_t at = Atomics::load_relaxed(cursor_);
    if (cursor_revoked(at)) return Taking::revoked;
    // Acquire, pairs with the release in LaneWriter::publish: the words of all slots below and the
    // bytes of their batches.
    if (at >= known_head) known_head = Atomics::load_acquire(head_);
    if (at >= known_head) return Taking::empty;
    const BatchDescriptor copy = read_slot<Atomics>(ring_[at & mask_]);
    // Release, pairs with the acquire in revoke(): if this succeeds, the copy above
    // came before anything the scanner does after it has revoked.
    if (!Atomics::compare_exchange_acq_rel(cursor_, at, at + 1)) return Taking::revoked;
    descriptor = copy;
    return Taking::taken;
  }

 private:
  const Word& head_;
  const DescriptorSlot<Atomics>* ring_;
  std::uint64_t mask_;
  Word& cursor_;
};

/// Ends what can be taken through `cursor`. Returns the final position: what lies
/// below was taken, what lies above never will be.
template <class Atomics>
std::uint64_t revoke(typename Atomics::template Word<std::uint64_t>& cursor) {
  // Acquire, pairs with the release in LaneReader::take.
  return cursor_position(Atomics::fetch_or_acq_rel(cursor, kRevoked));
}

}  // namespace pwalk::ipc
