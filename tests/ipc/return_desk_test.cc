#include "return_desk.h"

#include <gtest/gtest.h>

#include <thread>

namespace pwalk::ipc {
namespace {

constexpr std::uint64_t kPool = 8 * kBlockBytes;

class ReturnDeskTest : public ::testing::Test {
 protected:
  ReturnDeskTest() : memory_(*ConsumerMemory::create(1, 16)), reader_(memory_.return_reader()) {}
  ConsumerMemory memory_;
  ReturnReader<Atomics> reader_;
};

TEST_F(ReturnDeskTest, TheGrantCountsBlocksNotBatches) {
  ReturnDesk desk(memory_, kPool, 2);
  EXPECT_TRUE(desk.pin(0, 100));
  EXPECT_TRUE(desk.pin(4096, 100));  // the same block
  EXPECT_TRUE(desk.pin(3 * kBlockBytes, kBlockBytes));
  EXPECT_FALSE(desk.pin(5 * kBlockBytes, 1));  // a third
  EXPECT_TRUE(desk.pin(3 * kBlockBytes, 1));
  desk.give_back_pinned({0, 0}, 100);
  EXPECT_FALSE(desk.pin(5 * kBlockBytes, 1)) << "the block is still pinned by the other";
  desk.give_back_pinned({1, 0}, 100);
  EXPECT_TRUE(desk.pin(5 * kBlockBytes, 1));
}

TEST_F(ReturnDeskTest, ARunCountsEveryBlockItTouches) {
  ReturnDesk desk(memory_, kPool, 2);
  EXPECT_FALSE(desk.pin(0, 2 * kBlockBytes + 1));
  EXPECT_TRUE(desk.pin(0, 2 * kBlockBytes));
  desk.give_back_pinned({0, 0}, 2 * kBlockBytes);
  EXPECT_TRUE(desk.pin(6 * kBlockBytes, 2 * kBlockBytes));
}

TEST_F(ReturnDeskTest, WithoutAGrantEverythingIsCopied) {
  ReturnDesk desk(memory_, kPool, 0);
  EXPECT_FALSE(desk.pin(0, 1));
}

TEST_F(ReturnDeskTest, TakesNoMoreThanTheRingCanBringBack) {
  ReturnDesk desk(memory_, kPool, 8);
  for (std::uint32_t i = 0; i < 16; ++i) {
    EXPECT_TRUE(desk.has_room());
    desk.taken();
  }
  EXPECT_FALSE(desk.has_room());
  for (std::uint32_t i = 0; i < 3; ++i) desk.give_back({i, 0});
  EXPECT_FALSE(desk.has_room()) << "given back, but not drained";
  EXPECT_TRUE(reader_.drain([](Return) {}));
  EXPECT_TRUE(desk.has_room());
}

TEST_F(ReturnDeskTest, ThreadsTakeTurns) {
  ReturnDesk desk(memory_, kPool, 8);
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < 4; ++i)
    threads.emplace_back([&desk, i] {
      for (std::uint32_t j = 0; j < 4; ++j) desk.give_back({i * 4 + j, 0});
    });
  for (std::thread& thread : threads) thread.join();
  std::uint32_t bits = 0;
  EXPECT_TRUE(reader_.drain([&](Return returned) { bits |= 1u << returned.unit; }));
  EXPECT_EQ(bits, 0xffffu);
}

}  // namespace
}  // namespace pwalk::ipc
