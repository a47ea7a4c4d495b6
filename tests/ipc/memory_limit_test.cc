#include "memory_limit.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "layout.h"
#include "pwalk/ipc/scan_session.h"

namespace pwalk::ipc {
namespace {

namespace fs = std::filesystem;

/// A /proc and a /sys/fs/cgroup of our own.
class MemoryLimitTest : public ::testing::Test {
 protected:
  MemoryLimitTest() : root_(::testing::TempDir() + "/memory_limit") {
    fs::remove_all(root_);
    put("proc/meminfo", "MemTotal:       8388608 kB\nMemFree:  1 kB\nMemAvailable:   4194304 kB\n");
  }
  ~MemoryLimitTest() override { fs::remove_all(root_); }
  void put(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::uint64_t limit() const { return memory_limit(root_ / "proc", root_ / "sys"); }
  std::uint64_t available() const { return available_memory(root_ / "proc", root_ / "sys"); }
  fs::path root_;
};

constexpr std::uint64_t kMega = 1u << 20;

TEST_F(MemoryLimitTest, WithoutCgroupsTheMachineLimits) {
  EXPECT_EQ(limit(), 8192 * kMega);
  EXPECT_EQ(available(), 4096 * kMega);
}

TEST_F(MemoryLimitTest, TheTightestOfAllLevelsCountsV2) {
  put("proc/self/cgroup", "0::/pod/box\n");
  put("sys/pod/box/memory.max", "max\n");
  put("sys/pod/memory.max", std::to_string(512 * kMega));
  put("sys/pod/memory.current", std::to_string(500 * kMega));
  EXPECT_EQ(limit(), 512 * kMega);
  EXPECT_EQ(available(), 12 * kMega);
}

TEST_F(MemoryLimitTest, OfVersion1Too) {
  put("proc/self/cgroup", "9:cpu:/x\n4:memory,hugetlb:/box\n0::/\n");
  put("sys/memory/box/memory.limit_in_bytes", std::to_string(100 * kMega));
  put("sys/memory/box/memory.usage_in_bytes", std::to_string(200 * kMega));
  put("sys/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(limit(), 100 * kMega);
  EXPECT_EQ(available(), 0u) << "more used than allowed";
}

TEST_F(MemoryLimitTest, TheDefaultPoolIsWholeBlocksWithinItsBounds) {
  const std::uint64_t pool = default_pool_bytes();
  EXPECT_GE(pool, 2 * kMega);
  EXPECT_LE(pool, 256 * kMega);
  EXPECT_EQ(pool % kBlockBytes, 0u);
  EXPECT_LE(pool, std::max(2 * kMega, memory_limit() / 4));
}

}  // namespace
}  // namespace pwalk::ipc
