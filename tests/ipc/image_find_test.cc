// find() against the plain maps that the image was made from.
#include "pwalk/image/find.h"

#include <fnmatch.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/image_tree.h"

namespace pwalk::image::testing {
namespace {

using schema::Column;
using schema::Entry;

class ImageFind : public ::testing::Test {
 protected:
  ImageFind() {
    tree_ = random_tree(random_, {.rows = 600, .hostile = false});
    for (auto& [path, directory] : tree_.directories)
      for (auto& [name, row] : directory.rows) {
        row.uid = std::uint32_t(below(random_, 3));
        row.gid = std::uint32_t(below(random_, 3));
        row.mtime = std::int64_t(below(random_, 100));
        row.size = below(random_, 100);
        if (one_in(random_, 10)) row.size = 0, row.known.erase(Column::size);
      }
    write_image(scratch_.file("image"), tree_, publish(random_, tree_));
  }

  /// Paths of the rows that `fits` says yes to, by the maps.
  template <class Fits>
  std::vector<std::string> wanted(Fits&& fits) const {
    std::vector<std::string> paths;
    for (const auto& [path, directory] : tree_.directories)
      for (const auto& [name, row] : directory.rows)
        if (fits(name, row)) paths.push_back(path + "/" + name);
    return paths;
  }
  std::vector<std::string> found(const FindConditions& conditions) const {
    const auto results = ResultsFilesystem::open(scratch_.file("image"));
    EXPECT_TRUE(results);
    std::vector<std::string> paths;
    const auto done = find(*results, "/srv/data", conditions, [&](std::string_view path, const EntryRef&) {
      paths.emplace_back(path);
      return true;
    });
    EXPECT_TRUE(done);
    return paths;
  }

  Random random_{test_seed()};
  ScratchDirectory scratch_;
  ModelTree tree_;
};

TEST_F(ImageFind, EachConditionAndAllTogether) {
  const auto check = [&](const FindConditions& conditions, auto&& fits) {
    EXPECT_THAT(found(conditions), ::testing::UnorderedElementsAreArray(wanted(fits)));
  };
  const auto sized = [](const Entry& row) { return row.known.has(Column::size); };
  check({}, [](auto&, const Entry&) { return true; });
  check({.types = "dl"}, [](auto&, const Entry& row) { return row.type == 'd' || row.type == 'l'; });
  check({.name = "*-[1-4]-*"}, [](const std::string& name, const Entry&) { return ::fnmatch("*-[1-4]-*", name.c_str(), 0) == 0; });
  check({.suffixes = {"twenty", "nothing"}}, [](const std::string& name, const Entry&) { return name.ends_with("twenty"); });
  check({.larger = 30}, [&](auto&, const Entry& row) { return sized(row) && row.size > 30; });
  check({.smaller = 30}, [&](auto&, const Entry& row) { return sized(row) && row.size < 30; });
  check({.older = 50}, [](auto&, const Entry& row) { return row.mtime < 50; });
  check({.newer = 50}, [](auto&, const Entry& row) { return row.mtime > 50; });
  check({.owner = 1}, [](auto&, const Entry& row) { return row.uid == 1; });
  check({.group = 2}, [](auto&, const Entry& row) { return row.gid == 2; });
  check({.types = "f", .larger = 10, .newer = 20, .owner = 0},
        [&](auto&, const Entry& row) { return row.type == 'f' && sized(row) && row.size > 10 && row.mtime > 20 && row.uid == 0; });
}

TEST_F(ImageFind, WhoeverHasSeenEnoughEndsIt) {
  const auto results = ResultsFilesystem::open(scratch_.file("image"));
  ASSERT_TRUE(results);
  int seen = 0;
  ASSERT_TRUE(find(*results, "/srv/data", {}, [&](std::string_view, const EntryRef&) { return ++seen < 3; }));
  EXPECT_EQ(seen, 3);
}

TEST_F(ImageFind, APathThatIsNotThereIsAnError) {
  const auto results = ResultsFilesystem::open(scratch_.file("image"));
  ASSERT_TRUE(results);
  const auto done = find(*results, "/srv/data/nothing", {}, [](std::string_view, const EntryRef&) { return true; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ENOENT);
}

}  // namespace
}  // namespace pwalk::image::testing
