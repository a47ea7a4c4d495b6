#include "group_books.h"

#include <gtest/gtest.h>

/// The scanner's books over a ledger.
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

/// It has concluded what it claimed the second time, and the books heard of it otherwise first.
TEST_F(GroupBooksTest, AReturnThatComesLateIsNotTakenForThatOfAnOlderClaim) {
  for (const bool somebody_dies : {true, false}) {
    const ClaimTicket first = claim(1);
    sweep(0s), sweep(1100ms);
    const ClaimTicket again = claim(1);
    ASSERT_EQ(again.sequence, first.sequence);
    ASSERT_TRUE(memory_.lane(0).conclude(again));
    if (somebody_dies)
      books_.member_gone(2, kRules);
    else
      sweep(0s), sweep(1100ms);
    books_.returned(1, 0, again.sequence);
    EXPECT_TRUE(released_.empty()) << "it reads what it claimed first";
    books_.returned(1, 0, first.sequence);
    EXPECT_EQ(released_, std::vector<std::uint32_t>{unit(first.sequence)});
    released_.clear();
  }
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

}  // namespace
}  // namespace pwalk::ipc
