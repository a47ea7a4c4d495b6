#include "old_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ipc/image_tree.h"

namespace pwalk::publish {
namespace {

using namespace image::testing;

/// Names the listing has, by the model: rows that did not vanish.
std::vector<std::string> names_in(const ModelDirectory& directory) {
  std::vector<std::string> names;
  for (const auto& [name, row] : directory.rows)
    if (!name.empty() && !(row.flags & schema::kVanished)) names.push_back(name);
  return names;
}

std::set<std::string> left_in(const OldDirectory& directory) {
  std::set<std::string> names;
  directory.for_each_left([&](const EntryRef& entry) { EXPECT_TRUE(names.emplace(entry.name()).second); });
  return names;
}

/// In any order, with names in between that are not there, each is found once and the rest is left.
TEST(OldDirectoryTest, ticks_off_what_is_found_again) {
  Random random(test_seed());
  const ScratchDirectory scratch;
  for (const std::size_t large : {0, 300, 3000}) {
    const ModelTree tree = random_tree(random, {.rows = 400, .large_directory = large});
    const std::string file = scratch.file("image" + std::to_string(large));
    ASSERT_NO_FATAL_FAILURE(write_image(file, tree, image::testing::publish(random, tree, {.rows = 64}), 7));
    const auto results = ResultsFilesystem::open(file);
    ASSERT_TRUE(results) << results.error().message();
    OldDirectory directory;
    for (const auto& [path, model] : tree.directories) {
      if (!path.starts_with(tree.roots[0])) continue;
      auto names = names_in(model);
      if (one_in(random, 2)) std::shuffle(names.begin(), names.end(), random);
      std::set<std::string> left(names.begin(), names.end());
      const auto opened = directory.open(*results, path);
      ASSERT_TRUE(opened) << opened.error().message();
      for (const std::string& name : names) {
        if (one_in(random, 3)) continue;
        if (one_in(random, 4)) {
          const auto nobody = directory.take(name + "\x01");
          ASSERT_TRUE(nobody);
          EXPECT_FALSE(*nobody && !model.rows.count(name + "\x01"));
        }
        const auto found = directory.take(name);
        ASSERT_TRUE(found && *found) << name;
        expect_same_entry(*found, name, model.rows.at(name));
        left.erase(name);
      }
      EXPECT_EQ(left_in(directory), left) << path;
    }
  }
}

TEST(OldDirectoryTest, what_the_image_does_not_know_is_empty) {
  Random random(test_seed());
  const ScratchDirectory scratch;
  const ModelTree tree = random_tree(random, {.rows = 20, .hostile = false});
  ASSERT_NO_FATAL_FAILURE(write_image(scratch.file("image"), tree, image::testing::publish(random, tree)));
  const auto results = ResultsFilesystem::open(scratch.file("image"));
  ASSERT_TRUE(results);
  OldDirectory directory;
  for (const std::string path : {"/srv/data/no such directory", "/elsewhere", "", "/srv"}) {
    ASSERT_TRUE(directory.open(*results, path)) << path;
    EXPECT_THAT(left_in(directory), testing::IsEmpty());
    const auto found = directory.take("x");
    ASSERT_TRUE(found);
    EXPECT_FALSE(*found);
  }
}

}  // namespace
}  // namespace pwalk::publish
