#include "directory_coder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "row_hasher.h"
#include "schema/random_rows.h"

namespace pwalk::schema {
namespace {

using ::testing::ElementsAre;
using testing::Random;

/// path(i) by the definition in FORMAT.md, recursively; counts the steps.
std::string decode(const DirectoryCoder& coder, std::size_t row, std::size_t& steps) {
  ++steps;
  const auto from = std::size_t(coder.suffix_offsets()[row]),
             to = std::size_t(coder.suffix_offsets()[row + 1]);
  const std::string suffix = coder.suffix_bytes().substr(from, to - from);
  if (coder.prefix()[row] < 0) return suffix;
  return decode(coder, std::size_t(coder.prefix()[row]), steps).substr(0, coder.shared()[row]) + suffix;
}

void add(DirectoryCoder& coder, const std::string& path) {
  coder.begin(path, 0);
  coder.commit();
}

TEST(DirectoryCoder, PrefixOwnsTheLastSharedByte) {
  DirectoryCoder coder;
  for (const char* path : {"/a", "/a/b", "/a/b/c", "/a/b/d", "/a/e", "/a"}) add(coder, path);
  EXPECT_THAT(coder.prefix(), ElementsAre(-1, 0, 1, 2, 1, 0));
  EXPECT_THAT(coder.shared(), ElementsAre(0, 2, 4, 5, 3, 2));
  EXPECT_EQ(coder.suffix_bytes(), "/a/b/cde");
}

TEST(DirectoryCoder, DecodesToWhatWasCommitted) {
  Random random(testing::test_seed());
  DirectoryCoder coder;
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> paths;
    for (const testing::Listing& listing : testing::random_tree(random, 400, testing::Values::alike, false)) {
      coder.begin("/left/without/a/trace", 0);
      add(coder, listing.path);
      paths.push_back(listing.path);
    }
    ASSERT_EQ(coder.rows(), paths.size());
    for (std::size_t i = 0; i < paths.size(); ++i) {
      std::size_t steps = 0;
      EXPECT_EQ(decode(coder, i, steps), paths[i]);
      EXPECT_EQ(coder.path_hashes()[i], hash_directory_path(paths[i]));
      if (coder.prefix()[i] >= 0) {
        EXPECT_LT(coder.shared()[std::size_t(coder.prefix()[i])], coder.shared()[i]);
      } else {
        EXPECT_EQ(coder.shared()[i], 0U);
      }
    }
    coder.clear();
  }
}

/// Ten thousand directories, and still no chain is longer than paths have places to branch.
TEST(DirectoryCoder, ChainsDoNotGrowWithTheTable) {
  DirectoryCoder coder;
  for (int i = 0; i < 100; ++i) {
    add(coder, "/top/" + std::to_string(i));
    for (int j = 0; j < 100; ++j) add(coder, "/top/" + std::to_string(i) + "/" + std::to_string(j));
  }
  for (std::size_t row = 0; row < coder.rows(); ++row) {
    std::size_t steps = 0;
    decode(coder, row, steps);
    EXPECT_LE(steps, 6U);  // "/top/" and then each byte of "42/17" may be a piece
  }
}

TEST(DirectoryCoder, TellsWhatADirectoryWouldAdd) {
  DirectoryCoder coder;
  for (const char* path : {"/data", "/data/one", "/data/other/very/deep", "", "/data"}) {
    coder.begin(path, 0);
    const std::size_t before = coder.bytes(), pending = coder.pending_bytes();
    coder.commit();
    EXPECT_EQ(coder.bytes(), before + pending) << path;
  }
}

}  // namespace
}  // namespace pwalk::schema
