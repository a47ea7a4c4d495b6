#include "trusted_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/image_tree.h"

namespace pwalk::publish {
namespace {

using namespace image::testing;
using schema::Column;

constexpr std::int64_t kSecond = 1'000'000'000;

/// /srv/data with the directory `d`, in which are a file and a directory.
class TrustedTreeTest : public testing::Test {
 public:
  TrustedTreeTest() {
    tree_.roots = {"/srv/data"};
    tree_.directories["/srv"].entered = false;
    tree_.directories["/srv"].rows["data"] = row('d', 1);
    tree_.directories["/srv/data"].rows["d"] = row('d', 2);
    tree_.directories["/srv/data/d"].rows["file"] = row('f', 3);
    tree_.directories["/srv/data/d"].rows["below"] = row('d', 4);
  }
  static schema::Entry row(char type, std::uint64_t inode) {
    schema::Entry entry;
    entry.known = schema::ColumnSet::all();
    entry.type = type;
    entry.inode = inode;
    entry.device = 7;
    entry.mtime = started() - 10 * kSecond;
    entry.ctime = started() - 5 * kSecond;
    return entry;
  }
  static std::int64_t started() { return facts_of(ModelTree{}).started_ns; }
  static DirectoryLook look() { return {7, 2, started() - 10 * kSecond, started() - 5 * kSecond}; }

  schema::Entry& directory_row() { return tree_.directories["/srv/data"].rows["d"]; }
  schema::Entry& file_row() { return tree_.directories["/srv/data/d"].rows["file"]; }
  schema::DirectoryRecord& record() { return tree_.directories["/srv/data/d"].record; }

  /// After what was changed so far.
  std::unique_ptr<KnownDirectories> reader() {
    if (!results_) {
      Random random(test_seed());
      write_image(scratch_.file("image"), tree_, image::testing::publish(random, tree_));
      auto opened = ResultsFilesystem::open(scratch_.file("image"));
      EXPECT_TRUE(opened);
      results_ = *std::move(opened);
      trusted_.emplace(*results_);
    }
    return trusted_->reader();
  }
  bool is_known(const DirectoryLook& now) { return reader()->open("/srv/data/d", now); }

  ModelTree tree_;
  ScratchDirectory scratch_;
  std::optional<ResultsFilesystem> results_;
  std::optional<TrustedTree> trusted_;
};

TEST_F(TrustedTreeTest, gives_the_rows_of_what_looks_as_it_did) {
  tree_.settle();
  const auto known = reader();
  ASSERT_TRUE(known->open("/srv/data/d", look()));
  EXPECT_TRUE(known->has_directories());
  std::vector<std::string> names;
  for (schema::Entry entry; known->next(entry);) names.emplace_back(entry.name);
  EXPECT_THAT(names, testing::UnorderedElementsAre("file", "below"));
  ASSERT_TRUE(known->open("/srv/data/d", look()));
  known->skip(1);
  schema::Entry entry;
  ASSERT_TRUE(known->next(entry));
  EXPECT_EQ(entry.name, names[1]);
  EXPECT_FALSE(known->next(entry));
}

TEST_F(TrustedTreeTest, any_other_look_is_not_known) {
  tree_.settle();
  ASSERT_TRUE(is_known(look()));
  for (const auto member : {&DirectoryLook::device, &DirectoryLook::inode}) {
    DirectoryLook other = look();
    ++(other.*member);
    EXPECT_FALSE(is_known(other));
  }
  for (const auto member : {&DirectoryLook::mtime, &DirectoryLook::ctime}) {
    DirectoryLook other = look();
    ++(other.*member);
    EXPECT_FALSE(is_known(other));
  }
  EXPECT_FALSE(reader()->open("/srv/data/nothing", look()));
  EXPECT_FALSE(reader()->open("/srv/data/d/file", look()));
}

/// Each of these makes the older scan's word worth nothing.
TEST_F(TrustedTreeTest, what_was_not_wholly_seen_is_not_known) {
  using Spoil = void (*)(TrustedTreeTest&);
  const std::vector<std::pair<const char*, Spoil>> spoils{
      {"not read to the end", [](TrustedTreeTest& test) { test.record().flags = 0; }},
      {"could not be read", [](TrustedTreeTest& test) { test.record().error = EIO; }},
      {"rows are missing", [](TrustedTreeTest& test) { ++test.record().entries; }},
      {"a row has an error", [](TrustedTreeTest& test) { test.file_row().error = EACCES; }},
      {"a row vanished", [](TrustedTreeTest& test) { test.file_row().flags = schema::kVanished; }},
      {"a row of no known type", [](TrustedTreeTest& test) { test.file_row().type = '?'; }},
      {"its times were clamped", [](TrustedTreeTest& test) { test.directory_row().flags = schema::kSaturated; }},
      {"its times are not known", [](TrustedTreeTest& test) { test.directory_row().ctime = 0, test.directory_row().known.erase(Column::ctime); }},
      {"not entered", [](TrustedTreeTest& test) { test.tree_.directories["/srv/data/d"].entered = false; }},
  };
  const ModelTree sound = tree_;
  for (const auto& [what, spoil] : spoils) {
    tree_ = sound;
    tree_.settle();
    spoil(*this);
    results_.reset();
    EXPECT_FALSE(is_known(look())) << what;
  }
}

TEST_F(TrustedTreeTest, times_near_the_older_scan_are_not_believed) {
  const std::int64_t edge = started() - std::chrono::nanoseconds(kTimesMayBeCoarse).count();
  for (const auto& [time, known] : {std::pair(edge - 1, true), std::pair(edge, false), std::pair(started() + 1, false)}) {
    directory_row().mtime = time;
    tree_.settle();
    results_.reset();
    EXPECT_EQ(is_known({7, 2, time, look().ctime}), known);
    directory_row().mtime = look().mtime;
    directory_row().ctime = time;
    results_.reset();
    EXPECT_EQ(is_known({7, 2, look().mtime, time}), known);
    directory_row().ctime = look().ctime;
  }
}

}  // namespace
}  // namespace pwalk::publish
