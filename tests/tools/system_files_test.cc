#include "doctor/system_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "made_up_system.h"

namespace pwalk::tools {
namespace {

TEST(SystemFilesTest, lines_numbers_and_values) {
  const MadeUpSystem system;
  system.put("/a", "  12 kB \nsecond\n");
  system.put("/b", "MemAvailableMore: 1\nMemAvailable:   42 kB\n# RemoveIPC=yes\nRemoveIPC = no\n");
  const SystemFiles files = system.files();
  EXPECT_EQ(files.line("/a"), "12 kB");
  EXPECT_EQ(files.number("/a"), 12u);
  EXPECT_EQ(files.value("/b", "MemAvailable"), "42 kB");
  EXPECT_EQ(files.value("/b", "RemoveIPC"), "no");
  EXPECT_EQ(files.value("/b", "Other"), std::nullopt);
}

TEST(SystemFilesTest, what_is_missing_is_no_value) {
  const MadeUpSystem system;
  system.put("/word", "max\n");
  const SystemFiles files = system.files();
  EXPECT_EQ(files.text("/none"), std::nullopt);
  EXPECT_EQ(files.number("/none"), std::nullopt);
  EXPECT_EQ(files.number("/word"), std::nullopt);
  EXPECT_TRUE(files.list("/none", ".conf").empty());
  EXPECT_FALSE(files.exists("/none"));
}

TEST(SystemFilesTest, lists_by_suffix_sorted) {
  const MadeUpSystem system;
  for (const char* name : {"/d/20.conf", "/d/10.conf", "/d/x.txt"}) system.put(name, "");
  EXPECT_THAT(system.files().list("/d", ".conf"), testing::ElementsAre("/d/10.conf", "/d/20.conf"));
}

TEST(SystemFilesTest, chosen_word) {
  EXPECT_EQ(chosen_word("always [madvise] never"), "madvise");
  EXPECT_EQ(chosen_word("plain"), "plain");
  EXPECT_EQ(chosen_word("]odd["), "]odd[");
}

}  // namespace
}  // namespace pwalk::tools
