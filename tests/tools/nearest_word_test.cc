#include "cli/nearest_word.h"

#include <gtest/gtest.h>

namespace pwalk::tools {
namespace {

TEST(EditDistanceTest, counts_single_edits) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("tail", "tail"), 0u);
  EXPECT_EQ(edit_distance("tial", "tail"), 1u) << "neighbours swapped";
  EXPECT_EQ(edit_distance("tal", "tail"), 1u);
  EXPECT_EQ(edit_distance("taill", "tail"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(NearestWordTest, beginning_of_exactly_one_word) {
  EXPECT_EQ(nearest_word("max-d", {"max-depth", "max-threads"}), "max-depth");
}

TEST(NearestWordTest, typing_error) {
  EXPECT_EQ(nearest_word("max-detph", {"max-depth", "max-threads"}), "max-depth");
  EXPECT_EQ(nearest_word("jsno", {"json", "quiet"}), "json");
}

TEST(NearestWordTest, nothing_near) {
  EXPECT_EQ(nearest_word("zzzzzz", {"json", "quiet"}), std::nullopt);
  EXPECT_EQ(nearest_word("x", {"xy"}), std::nullopt) << "too short to mean anything";
}

}  // namespace
}  // namespace pwalk::tools
