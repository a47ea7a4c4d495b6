#include "huge_pages.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace pwalk::ipc {
namespace {

TEST(HugePagesTest, ReadsWhatSmapsSaysOfARange) {
  const std::string smaps =
      "7f0000000000-7f0000400000 rw-s 00000000 00:01 2 /memfd:pwalk-pool (deleted)\n"
      "Size:               4096 kB\nKernelPageSize:        4 kB\nRss:                4096 kB\n"
      "ShmemPmdMapped:     2048 kB\nShared_Hugetlb:        0 kB\n"
      "7f0000400000-7f0000600000 rw-s 00000000 00:0f 3 /memfd:pwalk-pool (deleted)\n"
      "KernelPageSize:     2048 kB\nRss:                   0 kB\nShared_Hugetlb:        0 "
      "kB\nPrivate_Hugetlb:    2048 kB\n"
      "7f1000000000-7f1000400000 rw-p 00000000 00:00 0 [heap]\nRss:                4096 kB\nShmemPmdMapped:  "
      "   4096 kB\n";
  const PageBacking first = page_backing_in(smaps, 0x7f0000000000, 4u << 20);
  EXPECT_EQ(first.resident, 4u << 20);
  EXPECT_EQ(first.transparent, 2u << 20);
  EXPECT_EQ(first.reserved, 0u);
  EXPECT_EQ(page_backing_in(smaps, 0x7f0000400000, 2u << 20).reserved, 2u << 20);
  EXPECT_EQ(page_backing_in("", 0, 1).resident, 0u);
}

TEST(HugePagesTest, PromisedPagesAreNotFree) {
  const std::string directory = ::testing::TempDir() + "/hugepages";
  std::filesystem::create_directories(directory);
  std::ofstream(directory + "/free_hugepages") << "10\n";
  EXPECT_EQ(free_reserved_pages(directory), 10u);
  std::ofstream(directory + "/resv_hugepages") << "4\n";
  EXPECT_EQ(free_reserved_pages(directory), 6u);
  std::ofstream(directory + "/resv_hugepages") << "40\n";
  EXPECT_EQ(free_reserved_pages(directory), 0u);
  EXPECT_EQ(free_reserved_pages(directory + "/absent"), std::nullopt);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace pwalk::ipc
