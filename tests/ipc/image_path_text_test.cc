#include "path_text.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "ipc/image_tree.h"
#include "pwalk/base/lies_below.h"

namespace pwalk::image {
namespace {

TEST(PathText, ResolvesLikeAFileSystemWithoutLinks) {
  const auto resolved = [](std::string_view path) {
    std::string storage;
    bool directory = false;
    return std::string(*resolve_path(path, storage, directory));
  };
  EXPECT_EQ(resolved("/"), "/");
  EXPECT_EQ(resolved("//"), "/");
  EXPECT_EQ(resolved("/a/b"), "/a/b");
  EXPECT_EQ(resolved("/a//b/"), "/a/b");
  EXPECT_EQ(resolved("/a/./b/."), "/a/b");
  EXPECT_EQ(resolved("/a/../b"), "/b");
  EXPECT_EQ(resolved("/../.."), "/");
  EXPECT_EQ(resolved("/.a/..b/...").size(), std::string("/.a/..b/...").size());
}

TEST(PathText, RandomPathsResolveAsTheStandardLibrarySays) {
  testing::Random random(testing::test_seed());
  const char* pieces[] = {"/", "//", "/.", "/..", "/a", "/.b", "/..c", "/long-name"};
  for (int round = 0; round < 20'000; ++round) {
    std::string path = "/";
    for (auto n = testing::below(random, 8); n != 0; --n) path += pieces[testing::below(random, 8)];
    std::string storage, wanted = std::filesystem::path(path).lexically_normal().string();
    while (wanted.size() > 1 && wanted[1] == '/') wanted.erase(0, 1);  // it keeps POSIX's "//"
    if (wanted.size() > 1 && wanted.back() == '/') wanted.pop_back();
    bool directory = false;
    ASSERT_EQ(*resolve_path(path, storage, directory), wanted) << path;
  }
}

TEST(PathText, SaysWhenOnlyADirectoryWillDo) {
  std::string storage;
  bool directory = false;
  for (const char* path : {"/a/", "/a/.", "/a/b/..", "/a//"}) {
    ASSERT_TRUE(resolve_path(path, storage, directory));
    EXPECT_TRUE(directory) << path;
  }
  for (const char* path : {"/a", "/a/../b", "//a"}) {
    ASSERT_TRUE(resolve_path(path, storage, directory));
    EXPECT_FALSE(directory) << path;
  }
}

TEST(PathText, SaysWhenANameLeadsUp) {
  for (const char* path : {"/..", "/a/..", "/a/../b", "/..a/.."}) EXPECT_TRUE(goes_up(path)) << path;
  for (const char* path : {"", "/", "/a", "/..a", "/a..", "/.../b", "/a/..b/c"}) EXPECT_FALSE(goes_up(path)) << path;
}

TEST(PathText, RefusesWhatIsNoPath) {
  std::string storage;
  bool directory = false;
  EXPECT_EQ(resolve_path("", storage, directory).error().code, EINVAL);
  EXPECT_EQ(resolve_path("a/b", storage, directory).error().code, EINVAL);
  EXPECT_EQ(resolve_path(std::string_view("/a\0b", 4), storage, directory).error().code, EINVAL);
}

TEST(PathText, SplitsAndNests) {
  EXPECT_EQ(split_path("/").directory, "");
  EXPECT_EQ(split_path("/").name, "");
  EXPECT_EQ(split_path("/a").directory, "");
  EXPECT_EQ(split_path("/a/b").directory, "/a");
  EXPECT_EQ(split_path("/a/b").name, "b");
  EXPECT_TRUE(lies_below("/a/b", "/a"));
  EXPECT_TRUE(lies_below("/a", "/a"));
  EXPECT_TRUE(lies_below("/a", "/"));
  EXPECT_FALSE(lies_below("/ab", "/a"));
  EXPECT_FALSE(lies_below("/", "/a"));
}

}  // namespace
}  // namespace pwalk::image
