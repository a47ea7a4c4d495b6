#include "scan/image_jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "ipc/image_tree.h"

namespace pwalk::tools {
namespace {

using image::testing::ScratchDirectory;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string selection(const TraversalOptions& traversal, const std::vector<std::string>& own_globs = {}) {
  ScanOptions options;
  options.traversal = traversal;
  const auto plan = resolve_plan(options, {"/"});
  EXPECT_TRUE(plan) << plan.error().what;
  return selection_of(*plan, own_globs);
}

TEST(SelectionOfTest, the_same_rules_in_any_order_are_the_same) {
  TraversalOptions one, other;
  one.exclude = {"*.o", "build", "*.o"};
  other.exclude = {"build", "*.o"};
  one.include = {"*.h", "*.cc"};
  other.include = {"*.cc", "*.h"};
  EXPECT_EQ(selection(one), selection(other));
}

TEST(SelectionOfTest, every_rule_makes_a_difference) {
  const auto changed = [](auto&& change) {
    TraversalOptions options;
    change(options);
    return selection(options);
  };
  const std::vector<std::string> all{
      changed([](TraversalOptions&) {}),
      changed([](TraversalOptions& options) { options.exclude = {"x"}; }),
      changed([](TraversalOptions& options) { options.include = {"x"}; }),
      changed([](TraversalOptions& options) { options.follow_links = true; }),
      changed([](TraversalOptions& options) { options.ignore_snapshots = false; }),
  };
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
}

TEST(SelectionOfTest, where_the_image_is_saved_makes_none) {
  TraversalOptions plain, saving;
  plain.exclude = {"x"};
  saving.exclude = {"x", "/home.img", "/home.img.partial"};
  EXPECT_EQ(selection(saving, {"/home.img", "/home.img.partial"}), selection(plain));
  EXPECT_NE(selection(saving), selection(plain));
}

TEST(GlobsOfSavedFileTest, names_the_file_below_the_roots_it_lies_in) {
  const ScratchDirectory scratch;
  std::filesystem::create_directory(scratch.file("in*[side]"));
  std::filesystem::create_directory(scratch.file("beside"));
  EXPECT_THAT(globs_of_saved_file(scratch.file("image"), {scratch.path()}), ElementsAre("/image", "/image.partial"));
  EXPECT_THAT(globs_of_saved_file(scratch.file("in*[side]/a?"), {scratch.path(), scratch.file("beside"), scratch.file("in*[side]")}),
              ElementsAre("/in\\*\\[side\\]/a\\?", "/in\\*\\[side\\]/a\\?.partial", "/a\\?", "/a\\?.partial"));
  EXPECT_THAT(globs_of_saved_file(scratch.file("image"), {scratch.file("beside"), scratch.file("nothing")}), IsEmpty());
}

}  // namespace
}  // namespace pwalk::tools
