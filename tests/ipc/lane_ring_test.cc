#include "lane_ring.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "bell.h"
#include "return_ring.h"

namespace pwalk::ipc {
namespace {

using A = StdAtomics;
using Word = A::Word<std::uint64_t>;
constexpr std::uint32_t kSlots = 8;

struct Lane {
  Word head{0};
  std::unique_ptr<DescriptorSlot<A>[]> ring = std::make_unique<DescriptorSlot<A>[]>(kSlots);
  LaneWriter<A> writer() { return {head, ring.get(), kSlots}; }
  LaneReader<A> reader(Word& cursor) { return {head, ring.get(), kSlots, cursor}; }
};

TEST(LaneRingTest, EveryFieldComesThroughInOrder) {
  Lane lane;
  Word cursor{0};
  auto reader = lane.reader(cursor);
  BatchDescriptor taken;
  std::uint64_t known_head = 0;
  EXPECT_EQ(reader.take(taken, known_head), Taking::empty);
  for (std::uint64_t i = 0; i < 3 * kSlots; ++i) {
    const BatchDescriptor written{.sequence = i,
                                  .offset = i * 4096,
                                  .length = 1,
                                  .rows = 2,
                                  .rows_before = 3 * i,
                                  .content_hash = ~i,
                                  .file_bytes = 5,
                                  .records = 6,
                                  .flags = 7,
                                  .reserved = 8};
    lane.writer().publish(written);
    EXPECT_TRUE(reader.ready());
    ASSERT_EQ(reader.take(taken, known_head), Taking::taken);
    EXPECT_EQ(taken, written);
    EXPECT_FALSE(reader.ready());
  }
}

TEST(LaneRingTest, NothingIsTakenAfterRevocation) {
  Lane lane;
  Word cursor{0};
  auto reader = lane.reader(cursor);
  lane.writer().publish({.sequence = 0});
  lane.writer().publish({.sequence = 1});
  BatchDescriptor taken;
  std::uint64_t known_head = 0;
  ASSERT_EQ(reader.take(taken, known_head), Taking::taken);
  EXPECT_EQ(revoke<A>(cursor), 1u);
  EXPECT_EQ(reader.take(taken, known_head), Taking::revoked);
  EXPECT_EQ(taken.sequence, 0u);
  EXPECT_EQ(revoke<A>(cursor), 1u) << "final";
}

/// Eviction in the middle of taking: whatever the reader took lies below the final cursor.
TEST(LaneRingTest, RevocationRacesWithTakingAndOneOfThemWins) {
  for (int round = 0; round < 300; ++round) {
    Lane lane;
    Word cursor{0};
    for (std::uint64_t i = 0; i < kSlots; ++i) lane.writer().publish({.sequence = i});
    std::uint64_t taken_count = 0;
    std::thread reading([&] {
      auto reader = lane.reader(cursor);
      BatchDescriptor taken;
      std::uint64_t known_head = 0;
      while (reader.take(taken, known_head) == Taking::taken) {
        EXPECT_EQ(taken.sequence, taken_count);
        ++taken_count;
      }
    });
    const std::uint64_t final_cursor = revoke<A>(cursor);
    // The slots are the producer's again; a reader that was copying one must not believe it.
    for (std::uint64_t i = final_cursor; i < kSlots; ++i)
      lane.writer().publish({.sequence = i + 1000 * kSlots});
    reading.join();
    EXPECT_EQ(taken_count, final_cursor);
  }
}

TEST(ReturnRingTest, DrainsWhatWasPushedAndMakesRoom) {
  Word tail{0}, drained{0};
  std::vector<Word> ring(kSlots);
  ReturnWriter<A> writer(tail, ring.data(), kSlots);
  ReturnReader<A> reader(tail, drained, ring.data(), kSlots);
  for (std::uint32_t round = 0; round < 5; ++round) {
    for (std::uint32_t i = 0; i < kSlots; ++i) writer.push({round * 100 + i, ~i});
    std::uint32_t expected = round * 100;
    EXPECT_TRUE(reader.drain([&](Return returned) {
      EXPECT_EQ(returned.unit, expected++);
      EXPECT_EQ(returned.sequence_low, ~(returned.unit % 100));
    }));
    EXPECT_EQ(expected, round * 100 + kSlots);
    EXPECT_EQ(drained.load(), writer.pushed());
  }
}

TEST(ReturnRingTest, ATailNobodyHonestWroteIsRefused) {
  Word tail{0}, drained{0};
  std::vector<Word> ring(kSlots);
  ReturnReader<A> reader(tail, drained, ring.data(), kSlots);
  for (const std::uint64_t wrong : {std::uint64_t{kSlots + 1}, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
    tail = wrong;
    EXPECT_FALSE(reader.drain([](Return) { FAIL() << "nothing may be believed"; }));
  }
}

TEST(BellTest, IsRungOnlyForASleeper) {
  BellWords<A> words{};
  EXPECT_FALSE(must_ring<A>(words));
  const std::uint32_t ticket = announce_sleep<A>(words);
  EXPECT_TRUE(must_ring<A>(words));
  ring<A>(words);
  EXPECT_NE(words.bell.load(), ticket) << "the sleep about to begin does not";
  end_sleep<A>(words);
  EXPECT_FALSE(must_ring<A>(words));
}

}  // namespace
}  // namespace pwalk::ipc
