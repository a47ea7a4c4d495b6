#include "group_books.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "lane_ring.h"
#include "return_ring.h"

/// The scanner's books over a ledger, and what a member leaves behind that is killed
/// after any instruction of claiming, concluding, taking or giving back.
namespace pwalk::ipc {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kSlots = 8;
constexpr GroupRules kRules{.lease = 1s, .attempts = 2};

class GroupBooksTest : public ::testing::Test {
 protected:
  GroupBooksTest()
      : memory_(*GroupMemory::create({.lanes = 1, .slots = kSlots})),
        books_(memory_, {0}, [this](std::uint32_t unit, std::uint64_t) { released_.push_back(unit); }) {
    for (std::uint64_t sequence = 0; sequence < 3; ++sequence) books_.open(0, sequence, unit(sequence), 10);
  }
  static std::uint32_t unit(std::uint64_t sequence) { return std::uint32_t(100 + sequence); }
  ClaimTicket claim(std::uint32_t member) {
    ClaimTicket ticket;
    EXPECT_TRUE(memory_.lane(0).claim(member, 3, ticket, [](std::uint64_t) {}));
    return ticket;
  }
  bool nothing_to_claim() {
    ClaimTicket ticket;
    return !memory_.lane(0).claim(9, 3, ticket, [](std::uint64_t) {});
  }
  bool conclude(const ClaimTicket& ticket, std::uint32_t member) {
    const bool concluded = memory_.lane(0).conclude(ticket);
    books_.returned(member, 0, ticket.sequence);
    return concluded;
  }
  GroupBooks::Sweep sweep(GroupBooks::Clock::duration later, bool asking = false) {
    now_ += later;
    return books_.sweep(now_, kRules, {.known = [](std::uint32_t) { return true; },
                                       .asking = [asking](std::uint32_t) { return asking; }});
  }

  GroupMemory memory_;
  std::vector<std::uint32_t> released_;
  GroupBooks books_;
  GroupBooks::Clock::time_point now_ = GroupBooks::Clock::time_point{} + 1h;
};

TEST_F(GroupBooksTest, FloorsFollowWhatIsSettledInWhateverOrder) {
  const ClaimTicket first = claim(1), second = claim(2), third = claim(1);
  EXPECT_TRUE(conclude(third, 1));
  EXPECT_TRUE(conclude(second, 2));
  EXPECT_EQ(books_.floors()[0], 0u);
  EXPECT_TRUE(conclude(first, 1));
  EXPECT_EQ(books_.floors()[0], 3u);
  EXPECT_TRUE(books_.released());
  EXPECT_EQ(released_, (std::vector<std::uint32_t>{unit(2), unit(1), unit(0)}));
  EXPECT_EQ(books_.figures().concluded, 3u);
}

TEST_F(GroupBooksTest, ABlockIsHeldUntilTheOneFromWhomItWasTakenIsDoneToo) {
  const ClaimTicket late = claim(1);
  sweep(0s);
  EXPECT_FALSE(sweep(900ms).offered);
  EXPECT_TRUE(sweep(200ms).offered);
  const ClaimTicket again = claim(2);
  EXPECT_TRUE(again.redelivered());
  EXPECT_EQ(again.sequence, late.sequence);
  EXPECT_TRUE(conclude(again, 2));
  EXPECT_TRUE(released_.empty()) << "member 1 may be reading it";
  EXPECT_EQ(books_.held_by(1), 1u);
  EXPECT_FALSE(conclude(late, 1)) << "fenced";
  EXPECT_EQ(released_, std::vector<std::uint32_t>{unit(0)});
  EXPECT_EQ(books_.figures().concluded, 1u);
}

TEST_F(GroupBooksTest, AMemberThatHasOneBatchTwiceMustReturnItTwice) {
  const ClaimTicket old = claim(1);
  sweep(0s);
  ASSERT_TRUE(sweep(1s).offered);
  const ClaimTicket anew = claim(1);
  ASSERT_EQ(anew.sequence, old.sequence);
  EXPECT_TRUE(conclude(anew, 1));
  EXPECT_TRUE(released_.empty());
  EXPECT_FALSE(conclude(old, 1));
  EXPECT_EQ(released_, std::vector<std::uint32_t>{unit(0)});
}

TEST_F(GroupBooksTest, WhoCameBackForMoreKeepsItsLease) {
  claim(1), claim(1), claim(1);
  EXPECT_FALSE(sweep(0s, true).unclaimed);
  EXPECT_EQ(sweep(10s, true).owners, std::vector<std::uint32_t>{1});
  EXPECT_FALSE(sweep(500ms, false).unclaimed);
  EXPECT_TRUE(sweep(600ms, false).unclaimed) << "its lease ran from when it went";
  EXPECT_EQ(books_.figures().redelivered, 3u);
}

TEST_F(GroupBooksTest, ASweepTellsWhoHasWhatIsNotSettled) {
  claim(2), claim(1);
  EXPECT_TRUE(sweep(0s).unclaimed);
  const ClaimTicket last = claim(2);
  EXPECT_EQ(sweep(0s).owners, (std::vector<std::uint32_t>{1, 2}));
  EXPECT_TRUE(conclude(last, 2));
  EXPECT_EQ(sweep(0s).owners, (std::vector<std::uint32_t>{1, 2}));
  books_.member_gone(2, kRules);
  const auto now = sweep(0s);
  EXPECT_TRUE(now.unclaimed);
  EXPECT_EQ(now.owners, std::vector<std::uint32_t>{1});
}

TEST_F(GroupBooksTest, TooManyAttemptsAreTheLast) {
  for (std::uint32_t member = 1; member <= 2; ++member) {
    claim(member);
    EXPECT_EQ(books_.member_gone(member, kRules), member == 1);
  }
  EXPECT_EQ(books_.figures().poisoned, 1u);
  EXPECT_EQ(books_.figures().poisoned_rows, 10u);
  EXPECT_EQ(released_, std::vector<std::uint32_t>{unit(0)});
  EXPECT_EQ(claim(3).sequence, 1u);
}

TEST_F(GroupBooksTest, WhatIsWithheldNobodyGetsAndWhatIsHeldStays) {
  const ClaimTicket mine = claim(1);
  books_.withhold();
  EXPECT_TRUE(nothing_to_claim());
  EXPECT_EQ(released_, (std::vector<std::uint32_t>{unit(1), unit(2)}));
  EXPECT_TRUE(conclude(mine, 1));
  EXPECT_TRUE(books_.released());
}

TEST_F(GroupBooksTest, ScribbledWordsCostBatchesAndNothingElse) {
  claim(1);
  auto* words = reinterpret_cast<Word64*>(reinterpret_cast<std::byte*>(&memory_.header()) + ledgers_offset(1));
  words[0].store(~std::uint64_t{0});
  words[1].store(LedgerEntry{Claim::done, 3, 500, 77}.pack());
  words[2].store(LedgerEntry{Claim::owned, 63, 60'000, 2}.pack());
  for (int i = 0; i < 20; ++i) sweep(1s);
  books_.member_gone(1, kRules);
  EXPECT_TRUE(books_.settled());
  EXPECT_LE(released_.size(), 3u);
}

/// Of a hostile scanner, or of a member that scribbles: nobody walks a way of 2^60 steps.
TEST_F(GroupBooksTest, AHeadOrAFrontFarFromTheRingIsNoLongWay) {
  const auto nothing = [](std::uint64_t) {};
  ClaimTicket ticket;
  for (const std::uint64_t head : {std::uint64_t{1} << 40, std::uint64_t{1} << 60, ~std::uint64_t{0}}) {
    EXPECT_FALSE(memory_.lane(0).claim(1, head, ticket, nothing)) << head;
    EXPECT_FALSE(memory_.lane(0).ready(head)) << head;
    memory_.lane(0).begin_at(0);
  }
  EXPECT_EQ(claim(1).sequence, 0u) << "and what there is can be claimed";
}

// ---- killed after any instruction -------------------------------------------

/// Runs `work` in a child, one instruction after the other, and kills it after `steps`
/// of them. True: it was not through yet. nullopt: this machine does not let us.
template <class Work>
std::optional<bool> killed_after(unsigned steps, Work&& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(99);
    ::raise(SIGSTOP);
    work();
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status)) return std::nullopt;
  bool through = false;
  for (unsigned i = 0; i < steps && !through; ++i) {
    if (::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) break;
    ::waitpid(child, &status, 0);
    through = WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return !through;
}

/// How many of the instructions a sample kills at; PWALK_KILL_POINTS for the long run.
unsigned kill_points() {
  const char* asked = std::getenv("PWALK_KILL_POINTS");
  return asked ? unsigned(std::strtoul(asked, nullptr, 10)) : 60;
}

/// Calls `check` after `work` on what `prepare` made anew, killed after so many numbers
/// of instructions, spread evenly over all that it takes.
template <class Prepare, class Work, class Check>
void kill_everywhere(Prepare&& prepare, Work&& work, Check&& check) {
  prepare();
  unsigned all = 64;
  for (;; all *= 2) {
    prepare();
    const auto killed = killed_after(all, work);
    if (!killed) GTEST_SKIP() << "no process may be traced here";
    if (!*killed) break;
    ASSERT_LT(all, 1u << 20);
  }
  const unsigned stride = std::max(1u, all / std::max(1u, kill_points()));
  for (unsigned steps = 0; steps <= all; steps += stride) {
    prepare();
    ASSERT_TRUE(killed_after(steps, work));
    check();
    if (::testing::Test::HasFailure()) FAIL() << "killed after " << steps << " instructions";
  }
}

TEST(SingleStepTest, AMemberKilledWhileItClaimsAndConcludesLosesNothing) {
  std::optional<GroupMemory> memory;
  std::vector<std::uint32_t> released;
  std::optional<GroupBooks> books;
  const auto prepare = [&] {
    books.reset();
    released.clear();
    memory.emplace(*GroupMemory::create({.lanes = 1, .slots = kSlots}));
    books.emplace(*memory, std::vector<std::uint64_t>{0},
                  [&](std::uint32_t unit, std::uint64_t) { released.push_back(unit); });
    for (std::uint32_t i = 0; i < 2; ++i) books->open(0, i, i, 1);
  };
  const auto member = [&] {
    for (int i = 0; i < 2; ++i) {
      ClaimTicket ticket;
      if (memory->lane(0).claim(1, 2, ticket, [](std::uint64_t) {})) memory->lane(0).conclude(ticket);
    }
  };
  const auto check = [&] {
    books->member_gone(1, kRules);
    const std::uint64_t done = books->figures().concluded, again = books->figures().redelivered;
    std::uint64_t taken = 0, marked = 0;
    for (ClaimTicket ticket; memory->lane(0).claim(2, 2, ticket, [](std::uint64_t) {}); ++taken) {
      marked += ticket.redelivered();
      EXPECT_TRUE(memory->lane(0).conclude(ticket));
      books->returned(2, 0, ticket.sequence);
    }
    EXPECT_EQ(done + taken, 2u);
    EXPECT_EQ(marked, again);
    EXPECT_TRUE(books->released());
    EXPECT_EQ(released.size(), 2u);
  };
  kill_everywhere(prepare, member, check);
}

/// A consumer's words as they lie in shared memory.
struct Stream {
  Word64 head, cursor, returned, drained;
  Slot ring[4];
  Word64 returns[4];
};

TEST(SingleStepTest, AConsumerKilledWhileItTakesAndGivesBackIsNeverAskedForMoreThanItTook) {
  auto* stream = static_cast<Stream*>(
      ::mmap(nullptr, sizeof(Stream), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(stream, MAP_FAILED);
  const auto prepare = [&] {
    *reinterpret_cast<std::array<std::uint64_t, sizeof(Stream) / 8>*>(stream) = {};
    LaneWriter<Atomics> lane(stream->head, stream->ring, 4);
    for (std::uint64_t i = 0; i < 2; ++i) lane.publish({.sequence = i, .offset = i * kUnitBytes, .length = 1});
  };
  const auto consumer = [&] {
    LaneReader<Atomics> lane(stream->head, stream->ring, 4, stream->cursor);
    ReturnWriter<Atomics> back(stream->returned, stream->returns, 4);
    for (BatchDescriptor batch; lane.take(batch) == Taking::taken;)
      back.push({std::uint32_t(batch.offset / kUnitBytes), std::uint32_t(batch.sequence)});
  };
  const auto check = [&] {
    const std::uint64_t taken = revoke<Atomics>(stream->cursor);
    std::uint64_t given_back = 0;
    ReturnReader<Atomics> back(stream->returned, stream->drained, stream->returns, 4);
    EXPECT_TRUE(back.drain([&](Return returned) { EXPECT_EQ(returned.unit, given_back++); }));
    EXPECT_LE(given_back, taken);
    EXPECT_LE(taken, given_back + 1) << "it holds one batch at most";
  };
  kill_everywhere(prepare, consumer, check);
  ::munmap(stream, sizeof(Stream));
}

}  // namespace
}  // namespace pwalk::ipc
