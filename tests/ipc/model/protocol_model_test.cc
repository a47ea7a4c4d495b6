/// The shared structures under Relacy, a model checker for the C++ memory model
/// (github.com/dvyukov/relacy): the same templates as in the product, over its
/// atomics, in random schedules with every value a load may legally return. And
/// the test of the test: mutants with one order weakened must be caught. Relacy
/// lets a load return old values but not run after a later store, so that the
/// orders of taking against revoking are beyond it; that one happens at all is not.
#include <gtest/gtest.h>

#include <cstdlib>
#include <ostream>

#include "bell.h"
#include "group_ledger.h"
#include "lane_ring.h"
#include "return_ring.h"
#include "starvation_gate.h"
// Last, since it defines macros with the names of std's functions; GoogleTest needs these back.
#include <relacy/relacy.hpp>
#undef delete
#undef new
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef errno

namespace pwalk::ipc {
namespace {

struct ModelAtomics {
  template <class T>
  using Word = rl::atomic<T>;
  template <class T>
  static T load_relaxed(const Word<T>& word) {
    return word.load(rl::mo_relaxed, $);
  }
  template <class T>
  static T load_acquire(const Word<T>& word) {
    return word.load(rl::mo_acquire, $);
  }
  template <class T>
  static void store_relaxed(Word<T>& word, T value) {
    word.store(value, rl::mo_relaxed, $);
  }
  template <class T>
  static void store_release(Word<T>& word, T value) {
    word.store(value, rl::mo_release, $);
  }
  template <class T>
  static T fetch_add_acq_rel(Word<T>& word, T value) {
    return word.fetch_add(value, rl::mo_acq_rel, $);
  }
  template <class T>
  static T fetch_or_acq_rel(Word<T>& word, T bits) {
    return word.fetch_or(bits, rl::mo_acq_rel, $);
  }
  template <class T>
  static bool compare_exchange_acq_rel(Word<T>& word, T& expected, T desired) {
    return word.compare_exchange_strong(expected, desired, rl::mo_acq_rel, $, rl::mo_relaxed, $);
  }
  static void fence_seq_cst() { rl::atomic_thread_fence(rl::mo_seq_cst, $); }
};

// ---- the mutants ------------------------------------------------------------

struct WithoutFences : ModelAtomics {
  static void fence_seq_cst() {}
};
struct WithoutRelease : ModelAtomics {
  template <class T>
  static void store_release(Word<T>& word, T value) {
    word.store(value, rl::mo_relaxed, $);
  }
};
struct WithoutAcquire : ModelAtomics {
  template <class T>
  static T load_acquire(const Word<T>& word) {
    return word.load(rl::mo_relaxed, $);
  }
};
/// A compare-and-swap that carries nothing.
struct RelaxedExchange : ModelAtomics {
  template <class T>
  static bool compare_exchange_acq_rel(Word<T>& word, T& expected, T desired) {
    return word.compare_exchange_strong(expected, desired, rl::mo_relaxed, $, rl::mo_relaxed, $);
  }
};
/// The front keeps its turn when it is moved back.
struct WithoutTurns : ModelAtomics {
  inline static const void* front = nullptr;
  template <class T>
  static bool compare_exchange_acq_rel(Word<T>& word, T& expected, T desired) {
    if (&word == front) desired &= LedgerFront::kSequenceMask;
    return ModelAtomics::compare_exchange_acq_rel(word, expected, desired);
  }
};
/// Takes by a plain store, as if nobody could revoke.
struct TakingWithoutComparing : ModelAtomics {
  template <class T>
  static bool compare_exchange_acq_rel(Word<T>& word, T&, T desired) {
    word.store(desired, rl::mo_release, $);
    return true;
  }
};

// ---- the models -------------------------------------------------------------

/// A consumer goes to sleep while a batch is published: it has seen the batch, or
/// the bell has changed under it.
template <class A>
struct BellModel : rl::test_suite<BellModel<A>, 2> {
  BellWords<A> words;
  typename A::template Word<std::uint64_t> head;
  bool slept = false;
  std::uint32_t ticket = 0;

  void before() {
    A::store_relaxed(words.bell, std::uint32_t{0});
    A::store_relaxed(words.waiting, std::uint32_t{0});
    A::store_relaxed(head, std::uint64_t{0});
  }
  void thread(unsigned index) {
    if (index == 0) {
      A::store_release(head, std::uint64_t{1});
      A::fence_seq_cst();
      if (must_ring<A>(words)) ring<A>(words);
    } else {
      ticket = announce_sleep<A>(words);
      slept = A::load_acquire(head) == 0;
    }
  }
  void after() { RL_ASSERT(!slept || A::load_relaxed(words.bell) != ticket); }
};

/// A scanner declares itself starved while a batch comes back: it drains the
/// batch, or it is kicked.
template <class A>
struct StarvationModel : rl::test_suite<StarvationModel<A>, 2> {
  StarvedWord<A> starved;
  typename A::template Word<std::uint64_t> tail, drained, ring[2];
  bool found = false, kicked = false;

  void before() {
    A::store_relaxed(starved, std::uint32_t{0});
    A::store_relaxed(tail, std::uint64_t{0});
    A::store_relaxed(drained, std::uint64_t{0});
  }
  void thread(unsigned index) {
    if (index == 0) {
      ReturnReader<A> returns(tail, drained, ring, 2);
      declare_starved<A>(starved);
      returns.drain([&](Return) { found = true; });
    } else {
      ReturnWriter<A>(tail, ring, 2).push({1, 2});
      kicked = must_kick<A>(starved);
    }
  }
  void after() { RL_ASSERT(found || kicked); }
};

/// A batch is written, published, read, given back, and its memory written again; two may be
/// under way, and the reader remembers the head. Bytes are plain variables: a race on them is an error.
template <class A>
struct CirculationModel : rl::test_suite<CirculationModel<A>, 2> {
  static constexpr std::uint64_t kBatches = 3;
  typename A::template Word<std::uint64_t> head, cursor, tail, drained, returns[2];
  DescriptorSlot<A> slots[2];
  rl::var<std::uint64_t> bytes[2];

  void before() {
    for (auto* word : {&head, &cursor, &tail, &drained}) A::store_relaxed(*word, std::uint64_t{0});
  }
  void thread(unsigned index) { index == 0 ? scan() : consume(); }

  void scan() {
    LaneWriter<A> lane(head, slots, 2);
    ReturnReader<A> back(tail, drained, returns, 2);
    std::uint64_t returned = 0;
    for (std::uint64_t sequence = 0; sequence < kBatches; ++sequence) {
      while (sequence - returned == 2) {
        RL_ASSERT(back.drain([&](Return entry) { RL_ASSERT(entry.unit == returned++); }));
        if (sequence - returned == 2) rl::yield(1, $);
      }
      bytes[sequence % 2]($) = sequence + 100;
      lane.publish({.sequence = sequence, .content_hash = sequence + 100});
    }
  }
  void consume() {
    LaneReader<A> lane(head, slots, 2, cursor);
    ReturnWriter<A> back(tail, returns, 2);
    std::uint64_t known_head = 0;
    for (std::uint64_t expected = 0; expected < kBatches;) {
      BatchDescriptor taken;
      if (lane.take(taken, known_head) != Taking::taken) {
        rl::yield(1, $);
        continue;
      }
      RL_ASSERT(taken.sequence == expected && taken.content_hash == bytes[expected % 2]($));
      back.push({std::uint32_t(expected), 0});
      ++expected;
    }
  }
};

/// Eviction against taking: the reader has every batch below the final cursor and
/// none above, and what it took is whole although the slot is written again.
template <class A>
struct RevocationModel : rl::test_suite<RevocationModel<A>, 2> {
  typename A::template Word<std::uint64_t> head, cursor;
  DescriptorSlot<A> slots[1];
  std::uint64_t taken_count = 0, final_cursor = 0;

  void before() {
    A::store_relaxed(head, std::uint64_t{0});
    A::store_relaxed(cursor, std::uint64_t{0});
    LaneWriter<A>(head, slots, 1).publish({.sequence = 0, .content_hash = 7});
  }
  void thread(unsigned index) {
    if (index == 0) {
      final_cursor = revoke<A>(cursor);
      // Gone or taken, the slot is free: it is written again without moving the head.
      for (auto& word : slots[0].words) A::store_relaxed(word, std::uint64_t{666});
    } else {
      BatchDescriptor taken;
      std::uint64_t known_head = 0;
      if (LaneReader<A>(head, slots, 1, cursor).take(taken, known_head) != Taking::taken) return;
      ++taken_count;
      RL_ASSERT(taken.sequence == 0 && taken.content_hash == 7);
    }
  }
  void after() { RL_ASSERT(taken_count == final_cursor); }
};

/// Two members claim and conclude while the scanner takes batches back: no batch has
/// two owners at once, what is concluded was this owner's, and nothing that is free is
/// left behind the front.
template <class A>
struct LedgerModel : rl::test_suite<LedgerModel<A>, 3> {
  static constexpr std::uint64_t kBatches = 2;
  typename A::template Word<std::uint64_t> front, words[2], head;
  unsigned concluded[kBatches] = {}, reclaimed[kBatches] = {};

  LedgerLane<A> lane() { return {front, words, 2}; }
  void before() {
    WithoutTurns::front = &front;
    A::store_relaxed(head, std::uint64_t{0});
    lane().begin_at(0);
  }
  void thread(unsigned index) { index == 0 ? scan() : read(index); }

  void scan() {
    for (std::uint64_t sequence = 0; sequence < kBatches; ++sequence) {
      lane().open(sequence);
      A::store_release(head, sequence + 1);
    }
    // The owner is "dead" only in that it is asked nothing: reclaim races with its conclusion.
    for (std::uint64_t sequence = 0; sequence < kBatches; ++sequence) {
      const LedgerEntry seen = lane().look(sequence);
      if (seen.state != Claim::owned || !lane().reclaim(seen, sequence, 9)) continue;
      ++reclaimed[sequence];
    }
  }
  void read(unsigned member) {
    for (int tries = 0; tries < 3; ++tries) {
      ClaimTicket ticket;
      if (!lane().claim(member, A::load_acquire(head), ticket, [](std::uint64_t) {})) {
        rl::yield(1, $);
        continue;
      }
      RL_ASSERT(ticket.sequence < kBatches);
      if (lane().conclude(ticket)) ++concluded[ticket.sequence];
    }
  }
  void after() {
    for (std::uint64_t sequence = 0; sequence < kBatches; ++sequence) {
      const LedgerEntry entry = lane().look(sequence);
      RL_ASSERT(entry.is(sequence) && entry.attempts == reclaimed[sequence]);
      RL_ASSERT(concluded[sequence] == (entry.state == Claim::done ? 1u : 0u));
      // What is free can still be found.
      RL_ASSERT(entry.state != Claim::free || lane().front() <= sequence);
    }
  }
};

/// A batch's bytes go from one member to the scanner, which writes the block anew: the
/// conclusion orders the reading before it.
template <class A>
struct ConclusionModel : rl::test_suite<ConclusionModel<A>, 2> {
  typename A::template Word<std::uint64_t> front, words[1], head;
  rl::var<std::uint64_t> bytes;

  LedgerLane<A> lane() { return {front, words, 1}; }
  void before() {
    A::store_relaxed(head, std::uint64_t{0});
    lane().begin_at(0);
  }
  void thread(unsigned index) {
    if (index == 0) {
      bytes($) = 7;
      lane().open(0);
      A::store_release(head, std::uint64_t{1});
      if (lane().look(0).state == Claim::done) bytes($) = 8;
    } else {
      ClaimTicket ticket;
      if (!lane().claim(3, A::load_acquire(head), ticket, [](std::uint64_t) {})) return;
      RL_ASSERT(bytes($) == 7);
      RL_ASSERT(lane().conclude(ticket));
    }
  }
};

/// A member that has a batch and sleeps has come back for more. So whoever sees its
/// claim must not still see the sleep from before it.
template <class A>
struct AskingModel : rl::test_suite<AskingModel<A>, 2> {
  typename A::template Word<std::uint64_t> front, words[1];
  BellWords<A> bell;

  LedgerLane<A> lane() { return {front, words, 1}; }
  void before() {
    A::store_relaxed(bell.bell, std::uint32_t{0});
    A::store_relaxed(bell.waiting, std::uint32_t{0});
    lane().begin_at(0);
    lane().open(0);
  }
  void thread(unsigned index) {
    if (index == 0) {
      // As GroupBooks::sweep: the word first, then the sleeper.
      if (lane().look(0).state == Claim::owned) RL_ASSERT(!must_ring<A>(bell));
    } else {
      std::uint32_t sleeps = 0;
      { const Sleep<A> announced(bell, sleeps); }
      ClaimTicket ticket;
      RL_ASSERT(lane().claim(1, 1, ticket, [](std::uint64_t) {}));
    }
  }
};

/// Runs a model. A failure's history goes nowhere: Relacy's own operator delete
/// does not go with a stream that grows.
template <template <class> class Model, class A>
bool holds(unsigned times) {
  rl::test_params params;
  params.iteration_count = times;
  params.search_type = rl::random_scheduler_type;
  std::ostream nowhere(nullptr);
  params.output_stream = &nowhere;
  params.progress_stream = &nowhere;
  return rl::simulate<Model<A>>(params);
}

/// Random schedules per model; PWALK_MODEL_SCHEDULES for the long run.
unsigned schedules() {
  const char* asked = std::getenv("PWALK_MODEL_SCHEDULES");
  return asked ? unsigned(std::strtoul(asked, nullptr, 10)) : 20'000;
}

TEST(ProtocolModelTest, TheBellLosesNoWake) {
  EXPECT_TRUE((holds<BellModel, ModelAtomics>(schedules())));
  EXPECT_FALSE((holds<BellModel, WithoutFences>(schedules())));
}

TEST(ProtocolModelTest, AStarvedScannerIsKickedOrFindsTheReturn) {
  EXPECT_TRUE((holds<StarvationModel, ModelAtomics>(schedules())));
  EXPECT_FALSE((holds<StarvationModel, WithoutFences>(schedules())));
}

TEST(ProtocolModelTest, ABatchGoesRoundWithoutARace) {
  EXPECT_TRUE((holds<CirculationModel, ModelAtomics>(schedules())));
  EXPECT_TRUE((holds<CirculationModel, WithoutFences>(schedules()))) << "no fence carries data";
  EXPECT_FALSE((holds<CirculationModel, WithoutRelease>(schedules())));
  EXPECT_FALSE((holds<CirculationModel, WithoutAcquire>(schedules())));
}

TEST(ProtocolModelTest, EveryBatchOfAGroupIsConcludedByItsOwnerOrCanBeFound) {
  EXPECT_TRUE((holds<LedgerModel, ModelAtomics>(schedules())));
  EXPECT_FALSE((holds<LedgerModel, TakingWithoutComparing>(schedules())));
  EXPECT_FALSE((holds<LedgerModel, WithoutTurns>(schedules())));
}

TEST(ProtocolModelTest, WhoeverSeesAClaimSeesThatTheMemberIsAwake) {
  EXPECT_TRUE((holds<AskingModel, ModelAtomics>(schedules())));
  EXPECT_FALSE((holds<AskingModel, RelaxedExchange>(schedules())));
}

TEST(ProtocolModelTest, AConclusionEndsTheReading) {
  EXPECT_TRUE((holds<ConclusionModel, ModelAtomics>(schedules())));
  EXPECT_FALSE((holds<ConclusionModel, RelaxedExchange>(schedules())));
  EXPECT_FALSE((holds<ConclusionModel, WithoutAcquire>(schedules())));
  EXPECT_FALSE((holds<ConclusionModel, WithoutRelease>(schedules())));
}

TEST(ProtocolModelTest, RevocationAndTakingAgreeOnWhatWasTaken) {
  EXPECT_TRUE((holds<RevocationModel, ModelAtomics>(schedules())));
  EXPECT_FALSE((holds<RevocationModel, TakingWithoutComparing>(schedules())));
}

}  // namespace
}  // namespace pwalk::ipc
