#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "atomics.h"

/// A group's ledger: who of its members has which batch. One word per batch, in a
/// ring per lane with as many slots as the lane, so that a batch's word is found by
/// its sequence. The scanner opens a batch before it is published, and takes it from
/// a member that died or kept it too long; members claim and conclude it.
///
///             open            claim              conclude
///   (settled) ────► free ──────────────► owned ──────────────► done
///    scanner         ▲       member        │       member
///                    └── reclaim, attempts + 1 ──► poison, after too many
///                             scanner
///
/// Every change but opening is a compare-and-swap on the whole word, so whoever
/// comes too late (a member whose batch was given to another, the scanner that
/// reclaims what has just been concluded) changes nothing and learns it: the
/// attempts are the fence. Members trust each other, but the scanner trusts none:
/// a scribbled word costs only this group its batches.
namespace pwalk::ipc {

enum class Claim : std::uint8_t { free = 0, owned = 1, done = 2, poison = 3 };

/// One batch's word: state, attempts that failed, member, low bits of the sequence.
struct LedgerEntry {
  static constexpr unsigned kSequenceBits = 40, kMemberBits = 16, kAttemptBits = 6;
  static constexpr std::uint64_t kSequenceMask = (std::uint64_t{1} << kSequenceBits) - 1;
  static constexpr std::uint32_t kMostMembers = 1u << kMemberBits;
  static constexpr std::uint32_t kMostAttempts = (1u << kAttemptBits) - 1;

  Claim state = Claim::free;
  std::uint32_t attempts = 0;  ///< how often it was taken from a member
  std::uint32_t member = 0;    ///< who owns it, or owned it last
  std::uint64_t sequence = 0;  ///< low kSequenceBits

  constexpr std::uint64_t pack() const {
    return std::uint64_t(state) << 62 | std::uint64_t(attempts) << (kSequenceBits + kMemberBits) |
           std::uint64_t(member) << kSequenceBits | (sequence & kSequenceMask);
  }
  static constexpr LedgerEntry unpack(std::uint64_t word) {
    return {Claim(word >> 62), std::uint32_t(word >> (kSequenceBits + kMemberBits)) & kMostAttempts,
            std::uint32_t(word >> kSequenceBits) & (kMostMembers - 1), word & kSequenceMask};
  }
  constexpr bool is(std::uint64_t full_sequence) const { return sequence == (full_sequence & kSequenceMask); }
  constexpr bool settled() const { return state == Claim::done || state == Claim::poison; }
  friend bool operator==(const LedgerEntry&, const LedgerEntry&) = default;
};

/// Where members look first: every batch below was claimed at least once since the
/// front was last moved back. The turn changes whenever the scanner moves it, so
/// that a member that read it before cannot move it forward past what was reclaimed.
struct LedgerFront {
  static constexpr unsigned kSequenceBits = 48;
  static constexpr std::uint64_t kSequenceMask = (std::uint64_t{1} << kSequenceBits) - 1;
  std::uint16_t turn = 0;
  std::uint64_t sequence = 0;
  constexpr std::uint64_t pack() const {
    return std::uint64_t(turn) << kSequenceBits | (sequence & kSequenceMask);
  }
  static constexpr LedgerFront unpack(std::uint64_t word) {
    return {std::uint16_t(word >> kSequenceBits), word & kSequenceMask};
  }
};

/// What a member has claimed; needed to conclude it.
struct ClaimTicket {
  std::uint64_t sequence = 0;
  std::uint64_t word = 0;  ///< as it stands while this claim holds
  bool redelivered() const { return LedgerEntry::unpack(word).attempts > 0; }
};

/// One lane of a ledger.
template <class Atomics>
class LedgerLane {
 public:
  using Word = typename Atomics::template Word<std::uint64_t>;

  LedgerLane(Word& front, Word* ring, std::uint32_t slots) : front_(front), ring_(ring), mask_(slots - 1) {}

  // ---- scanner ----

  /// Before the lane's head is released. The slot's last batch is settled.
  void open(std::uint64_t sequence) {
    // Relaxed: made visible by the head's release, which a member acquires before it looks here.
    Atomics::store_relaxed(word(sequence), LedgerEntry{.sequence = sequence}.pack());
  }

  /// Where a group begins that is made in the middle of a stream.
  void begin_at(std::uint64_t sequence) { Atomics::store_relaxed(front_, LedgerFront{0, sequence}.pack()); }

  LedgerEntry look(std::uint64_t sequence) const {
    // Acquire, pairs with the release in conclude(): the owner reads the batch no more.
    return LedgerEntry::unpack(Atomics::load_acquire(word(sequence)));
  }

  /// Takes the batch from the member that has it, as `seen` by look(), and offers it
  /// to the others; the `most`-th time nobody gets it again. False: the owner has
  /// just concluded it.
  bool reclaim(const LedgerEntry& seen, std::uint64_t sequence, std::uint32_t most) {
    LedgerEntry next = seen;
    next.attempts = seen.attempts < LedgerEntry::kMostAttempts ? seen.attempts + 1 : seen.attempts;
    next.state = next.attempts >= most ? Claim::poison : Claim::free;
    std::uint64_t expected = seen.pack();
    if (!Atomics::compare_exchange_acq_rel(word(sequence), expected, next.pack())) return false;
    if (next.state == Claim::free) move_front_back(sequence);
    return true;
  }

  /// Nobody gets what is free now (the group is evicted). False: it was claimed just now.
  bool withhold(std::uint64_t sequence) {
    LedgerEntry entry = look(sequence);
    if (entry.state != Claim::free) return false;
    std::uint64_t expected = entry.pack();
    entry.state = Claim::poison;
    return Atomics::compare_exchange_acq_rel(word(sequence), expected, entry.pack());
  }

  std::uint64_t front() const { return LedgerFront::unpack(Atomics::load_acquire(front_)).sequence; }

  // ---- members ----

  /// Is there perhaps something to claim below `head`?
  bool ready(std::uint64_t head) const { return front() < possible(head); }

  /// Claims the first free batch below `head`, a value acquired from the lane's head.
  /// `prepare(sequence)` is called before each attempt; what it reads of the lane's
  /// slot is right if the attempt succeeds. False: none is free.
  template <class Prepare>
  bool claim(std::uint32_t member, std::uint64_t head, ClaimTicket& ticket, Prepare&& prepare) {
    head = possible(head);
    const std::uint64_t ring_begins = head - std::min(head, mask_ + 1);
    // Acquire, pairs with the release in move_front_back(): the word it freed.
    std::uint64_t at = Atomics::load_acquire(front_);
    for (;;) {
      const LedgerFront front = LedgerFront::unpack(at);
      if (front.sequence >= head) return false;
      // Words further back are written over, so that no head and no front makes this a long way.
      const std::uint64_t sequence = std::max(front.sequence, ring_begins);
      const bool mine = claim_one(member, sequence, ticket, prepare);
      const std::uint64_t next = LedgerFront{front.turn, sequence + 1}.pack();
      // Failing, another member has moved it on, or the scanner back.
      const bool moved = Atomics::compare_exchange_acq_rel(front_, at, next);
      if (mine) return true;
      at = moved ? next : Atomics::load_acquire(front_);
    }
  }

  /// The member is done with it. False: too late, it was taken away, and counts as not done.
  bool conclude(const ClaimTicket& ticket) {
    LedgerEntry done = LedgerEntry::unpack(ticket.word);
    done.state = Claim::done;
    std::uint64_t expected = ticket.word;
    // Release, pairs with the acquire in look(): the batch's bytes are read before.
    return Atomics::compare_exchange_acq_rel(word(ticket.sequence), expected, done.pack());
  }

 private:
  /// A head beyond what a front can say is none that an honest scanner writes.
  static std::uint64_t possible(std::uint64_t head) { return std::min(head, LedgerFront::kSequenceMask); }
  Word& word(std::uint64_t sequence) const { return ring_[sequence & mask_]; }

  template <class Prepare>
  bool claim_one(std::uint32_t member, std::uint64_t sequence, ClaimTicket& ticket, Prepare&& prepare) {
    std::uint64_t found = Atomics::load_acquire(word(sequence));
    LedgerEntry entry = LedgerEntry::unpack(found);
    // Behind the front's back the slot may be many batches further on.
    if (entry.state != Claim::free || !entry.is(sequence)) return false;
    prepare(sequence);
    entry.state = Claim::owned;
    entry.member = member;
    // Release: what `prepare` read, and that the member no longer sleeps, come before.
    if (!Atomics::compare_exchange_acq_rel(word(sequence), found, entry.pack())) return false;
    ticket = {sequence, entry.pack()};
    return true;
  }

  void move_front_back(std::uint64_t sequence) {
    std::uint64_t at = Atomics::load_acquire(front_);
    for (;;) {
      LedgerFront front = LedgerFront::unpack(at);
      ++front.turn;
      if (sequence < front.sequence) front.sequence = sequence;
      if (Atomics::compare_exchange_acq_rel(front_, at, front.pack())) return;
      at = Atomics::load_acquire(front_);
    }
  }

  Word& front_;
  Word* ring_;
  std::uint64_t mask_;
};

}  // namespace pwalk::ipc
