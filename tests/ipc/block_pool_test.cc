#include "block_pool.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "huge_pages.h"
#include "layout.h"
#include "memory_limit.h"

namespace pwalk::ipc {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

TEST(BlockPoolTest, OrdinaryPagesAreAllThereAndSealed) {
  const auto pool = BlockPool::create(2u << 20, HugePages::off);
  ASSERT_TRUE(pool) << pool.error().message();
  EXPECT_EQ(pool->bytes(), 2u << 20);
  EXPECT_EQ(pool->blocks(), 8u);
  EXPECT_EQ(page_backing(pool->data(), pool->bytes()).resident, pool->bytes());
  const int seals = ::fcntl(pool->fd(), F_GET_SEALS);
  EXPECT_EQ(seals, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | 0x10 /* F_SEAL_FUTURE_WRITE */);
  pool->data()[pool->bytes() - 1] = std::byte{1};
}

TEST(BlockPoolTest, RoundsUpToWholeBlocks) {
  const auto pool = BlockPool::create((2u << 20) + 1, HugePages::off);
  ASSERT_TRUE(pool);
  EXPECT_EQ(pool->bytes(), (2u << 20) + kBlockBytes);
}

TEST(BlockPoolTest, ASmallPoolIsThereFromTheStart) {
  const auto pool = BlockPool::create(64u << 20, HugePages::automatic);
  ASSERT_TRUE(pool) << pool.error().message();
  EXPECT_EQ(pool->ready(), pool->bytes());
}

TEST(BlockPoolTest, EachNodeHasItsShareAndGrowsByItself) {
  const unsigned absent = 1000;  // a node that is not there changes nothing
  auto pool = BlockPool::create(68u << 20, HugePages::off, {0, absent});
  ASSERT_TRUE(pool) << pool.error().message();
  ASSERT_TRUE(pool->grow(1));
  const auto ends = [&] {
    std::vector<std::pair<std::uint64_t, int>> parts;
    for (const PoolPart& part : pool->parts()) parts.emplace_back(part.end >> 20, part.home);
    return parts;
  };
  EXPECT_THAT(ends(), ::testing::ElementsAre(std::pair(8, 0), std::pair(16, 1), std::pair(24, 1)));
  EXPECT_EQ(page_backing(pool->data(), pool->bytes()).resident, pool->ready());
  const auto small = BlockPool::create(2u << 20, HugePages::off, {0, absent});
  ASSERT_TRUE(small);
  EXPECT_EQ(small->parts().size(), 1u) << "too small to be divided";
}

TEST(BlockPoolTest, ALargePoolIsMadeAsItIsNeeded) {
  for (const HugePages pages : {HugePages::off, HugePages::automatic}) {
    auto pool = BlockPool::create((68u << 20) + kBlockBytes, pages);
    ASSERT_TRUE(pool) << pool.error().message();
    if (pool->pages() == "2M reserved") continue;
    EXPECT_EQ(pool->ready(), 16u << 20);
    EXPECT_EQ(page_backing(pool->data(), pool->bytes()).resident, pool->ready());
    while (pool->ready() < pool->bytes()) {
      const std::uint64_t before = pool->ready();
      const auto ready = pool->grow();
      ASSERT_TRUE(ready) << ready.error().message();
      EXPECT_GT(*ready, before);
      EXPECT_EQ(*ready, pool->ready());
      // There at once: no page is made by touching it, so none can be missing then.
      EXPECT_EQ(page_backing(pool->data(), pool->bytes()).resident, pool->ready());
    }
    EXPECT_EQ(pool->ready(), pool->bytes());
    pool->data()[pool->bytes() - 1] = std::byte{1};
  }
}

TEST(BlockPoolTest, AutomaticReportsWhatItGot) {
  const auto pool = BlockPool::create(8u << 20, HugePages::automatic);
  ASSERT_TRUE(pool) << pool.error().message();
  const PageBacking backing = page_backing(pool->data(), pool->bytes());
  if (pool->pages() == "2M reserved")
    EXPECT_EQ(backing.reserved, pool->bytes());
  else if (pool->pages() == "2M transparent")
    EXPECT_EQ(backing.transparent, pool->bytes());
  else
    EXPECT_THAT(std::string(pool->pages()), AnyOf("4K", "2M transparent (part)"));
  EXPECT_EQ(pool->reason().empty(), pool->pages() == "2M reserved") << pool->reason();
  EXPECT_EQ(std::uintptr_t(pool->data()) % kHugePage, 0u);
}

TEST(BlockPoolTest, RequireTakesThemOrNamesTheShortage) {
  const std::uint64_t free = free_reserved_pages().value_or(0);
  const auto pool = BlockPool::create((free + 1) * kHugePage, HugePages::require);
  ASSERT_FALSE(pool);
  EXPECT_EQ(pool.error().code, ENOMEM);
  EXPECT_THAT(pool.error().what, HasSubstr("needs " + std::to_string(free + 1) + " reserved 2 MiB pages, " +
                                           std::to_string(free) + " are free"));
  EXPECT_EQ(free_reserved_pages().value_or(0), free) << "what was taken on the way was given back";
}

TEST(BlockPoolTest, ReservedPagesAreUsedWhenThereAreSome) {
  const std::uint64_t free = free_reserved_pages().value_or(0);
  if (free == 0) GTEST_SKIP() << "no 2 MiB pages are reserved (vm.nr_hugepages)";
  const auto required = BlockPool::create(2u << 20, HugePages::require);
  ASSERT_TRUE(required) << required.error().message();
  EXPECT_EQ(required->pages(), "2M reserved");
  EXPECT_EQ(page_backing(required->data(), required->bytes()).reserved, required->bytes());
  EXPECT_EQ(free_reserved_pages(), free - 1);
  const auto automatic = BlockPool::create(2u << 20, HugePages::automatic);
  ASSERT_TRUE(automatic);
  EXPECT_EQ(automatic->pages() == "2M reserved", free - 1 >= 2) << "half of the free ones are others'";
}

TEST(BlockPoolTest, TooLittleMemoryIsAnErrorAtOnce) {
  const auto pool = BlockPool::create(available_memory() + (std::uint64_t{1} << 30), HugePages::automatic);
  ASSERT_FALSE(pool);
  EXPECT_EQ(pool.error().code, ENOMEM);
  EXPECT_THAT(pool.error().what, HasSubstr("does not fit"));
  EXPECT_EQ(BlockPool::create(1u << 20, HugePages::off).error().code, EINVAL);
  EXPECT_EQ(BlockPool::create(std::uint64_t{1} << 60, HugePages::off).error().code, EINVAL);
}

}  // namespace
}  // namespace pwalk::ipc
