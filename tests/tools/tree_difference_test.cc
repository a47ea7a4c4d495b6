#include "diff/tree_difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/image_tree.h"

namespace pwalk::tools {
namespace {

using namespace image::testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr const char* kRoot = "/srv/data";

schema::Entry row(char type, std::uint64_t inode) {
  schema::Entry entry;
  entry.known = schema::ColumnSet::all();
  entry.type = type;
  entry.inode = inode;
  entry.device = 7;
  entry.size = 100;
  entry.mode = type == 'd' ? 040755 : 0100644;
  return entry;
}

class TreeDifferenceTest : public ::testing::Test {
 protected:
  TreeDifferenceTest() {
    before_.roots = {kRoot};
    before_.directories["/srv"].entered = false;
    before_.directories["/srv"].rows["data"] = row('d', 1);
    in(before_, "").rows = {{"d", row('d', 2)}, {"file", row('f', 3)}};
    in(before_, "/d").rows = {{"inner", row('f', 4)}, {"deep", row('d', 5)}};
    in(before_, "/d/deep").rows = {{"leaf", row('f', 6)}};
    after_ = before_;
  }
  static ModelDirectory& in(ModelTree& tree, const std::string& below) { return tree.directories[kRoot + below]; }

  ResultsFilesystem image_of(ModelTree& tree, const std::string& name) {
    tree.settle();
    write_image(scratch_.file(name), tree, publish(random_, tree));
    auto opened = ResultsFilesystem::open(scratch_.file(name));
    EXPECT_TRUE(opened) << opened.error().message();
    return *std::move(opened);
  }
  static std::string text(const Difference& difference) {
    const char* const kinds[] = {"added", "removed", "changed", "moved"};
    std::string text = kinds[std::size_t(difference.kind)];
    text += " " + std::string(difference.path);
    if (!difference.from.empty()) text += " from " + std::string(difference.from);
    const ChangedFacts& facts = difference.facts;
    for (const auto& [is_set, name] : {std::pair(facts.type, " type"), {facts.size, " size"}, {facts.mode, " mode"}, {facts.owner, " owner"},
                                       {facts.mtime, " mtime"}, {facts.inode, " inode"}})
      if (is_set) text += name;
    EXPECT_EQ(bool(difference.before), difference.kind != DifferenceKind::added);
    EXPECT_EQ(bool(difference.after), difference.kind != DifferenceKind::removed);
    return text;
  }
  std::vector<std::string> differences(const std::string& old_root = kRoot, const std::string& new_root = kRoot) {
    const auto before = image_of(before_, "before"), after = image_of(after_, "after");
    std::vector<std::string> told;
    const auto done = compare_trees({before, old_root}, {after, new_root}, [&](const Difference& difference) {
      told.push_back(text(difference));
      return true;
    });
    EXPECT_TRUE(done) << done.error().message();
    return told;
  }

  Random random_{test_seed()};
  ScratchDirectory scratch_;
  ModelTree before_, after_;
};

TEST_F(TreeDifferenceTest, equal_trees_have_none) { EXPECT_THAT(differences(), IsEmpty()); }

TEST_F(TreeDifferenceTest, what_came_and_what_went) {
  in(after_, "").rows["new"] = row('f', 30);
  in(after_, "/d").rows.erase("inner");
  EXPECT_THAT(differences(), UnorderedElementsAre("added /srv/data/new", "removed /srv/data/d/inner"));
}

TEST_F(TreeDifferenceTest, a_directory_that_is_gone_is_told_with_what_was_below) {
  in(after_, "").rows.erase("d");
  after_.directories.erase("/srv/data/d");
  after_.directories.erase("/srv/data/d/deep");
  EXPECT_THAT(differences(), UnorderedElementsAre("removed /srv/data/d", "removed /srv/data/d/inner", "removed /srv/data/d/deep",
                                                  "removed /srv/data/d/deep/leaf"));
}

TEST_F(TreeDifferenceTest, each_fact_that_changed_is_named) {
  auto& file = in(after_, "").rows["file"];
  file.size = 101, file.mode = 0100600, file.uid = 5, file.mtime = 9;
  in(after_, "/d/deep").rows["leaf"].atime = 77;  // reading is no change
  in(after_, "").rows["d"].mtime = 9;             // nor is that an entry of a directory came or went
  EXPECT_THAT(differences(), ElementsAre("changed /srv/data/file size mode owner mtime"));
}

TEST_F(TreeDifferenceTest, the_same_inode_at_another_name_has_moved) {
  in(after_, "/d").rows["renamed"] = in(after_, "").rows["file"];
  in(after_, "/d").rows["renamed"].size = 1;
  in(after_, "").rows.erase("file");
  EXPECT_THAT(differences(), ElementsAre("moved /srv/data/d/renamed from /srv/data/file size"));
}

TEST_F(TreeDifferenceTest, below_a_directory_that_moved_only_changes_are_told) {
  in(after_, "").rows["e"] = in(after_, "").rows["d"];
  in(after_, "").rows.erase("d");
  in(after_, "/e") = in(after_, "/d");
  in(after_, "/e/deep") = in(after_, "/d/deep");
  in(after_, "/e/deep").rows["leaf"].size = 1;
  after_.directories.erase("/srv/data/d");
  after_.directories.erase("/srv/data/d/deep");
  EXPECT_THAT(differences(), UnorderedElementsAre("moved /srv/data/e from /srv/data/d", "changed /srv/data/e/deep/leaf size"));
}

TEST_F(TreeDifferenceTest, in_a_copy_nothing_moves_and_inodes_mean_nothing) {
  in(after_, "").rows["copy"] = row('d', 40);
  in(after_, "/copy").rows = {{"inner", row('f', 41)}, {"elsewhere", row('f', 6)}};
  EXPECT_THAT(differences("/srv/data/d", "/srv/data/copy"),
              UnorderedElementsAre("removed /srv/data/d/deep", "removed /srv/data/d/deep/leaf", "added /srv/data/copy/elsewhere"));
}

TEST_F(TreeDifferenceTest, another_device_number_of_the_whole_mount_is_none) {
  for (auto& [path, directory] : after_.directories)
    for (auto& [name, entry] : directory.rows) entry.device = 8;
  EXPECT_THAT(differences(), IsEmpty());
}

TEST_F(TreeDifferenceTest, whoever_has_seen_enough_ends_it) {
  for (int i = 0; i < 10; ++i) in(after_, "").rows["new " + std::to_string(i)] = row('f', 50 + std::uint64_t(i));
  const auto before = image_of(before_, "before"), after = image_of(after_, "after");
  int told = 0;
  ASSERT_TRUE(compare_trees({before, kRoot}, {after, kRoot}, [&](const Difference&) { return ++told < 3; }));
  EXPECT_EQ(told, 3);
}

TEST_F(TreeDifferenceTest, a_root_that_is_not_there_is_an_error) {
  const auto before = image_of(before_, "before"), after = image_of(after_, "after");
  const auto done = compare_trees({before, "/srv/data/nothing"}, {after, kRoot}, [](const Difference&) { return true; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ENOENT);
}

/// Against the plain maps: what is in one and not in the other, whatever the names.
TEST_F(TreeDifferenceTest, random_trees_differ_by_what_their_maps_differ_by) {
  before_ = random_tree(random_, {.rows = 400, .hostile = false});
  after_ = before_;
  std::vector<std::string> wanted;
  for (auto& [path, directory] : after_.directories) {
    if (!path.starts_with(kRoot)) continue;
    for (auto& [name, entry] : directory.rows) {
      if (!one_in(random_, 5) || entry.type == 'd') continue;
      ++entry.size;
      wanted.push_back("changed " + path + "/" + name + " size");
    }
  }
  EXPECT_THAT(differences(), ::testing::UnorderedElementsAreArray(wanted));
}

}  // namespace
}  // namespace pwalk::tools
