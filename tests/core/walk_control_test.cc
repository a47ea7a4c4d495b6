#include "pwalk/walk_control.h"

#include <thread>

#include "support/tree_builder.h"
#include "walk_once.h"

namespace pwalk::testing {
namespace {

TEST(WalkControl, AdmitsNoMoreThanTheRunAhead) {
  WalkControl control(2);
  EXPECT_TRUE(control.admit());
  EXPECT_TRUE(control.admit());
  EXPECT_FALSE(control.admit());
  control.acknowledge(1);
  EXPECT_TRUE(control.admit());
  EXPECT_FALSE(control.admit());
  control.give_back();
  EXPECT_TRUE(control.admit());
  control.release();
  EXPECT_TRUE(control.admit());
}

TEST(WalkControl, WakesWhoWaitsForRoom) {
  WalkControl control(1);
  ASSERT_TRUE(control.admit());
  std::thread other([&] { control.acknowledge(1); });
  while (!control.admit()) control.wait_for_room();
  other.join();
}

TEST(WalkControl, DeclinesWhatLiesBelow) {
  WalkControl control(1);
  EXPECT_FALSE(control.is_declined("/a"));
  control.decline("/a/b");
  EXPECT_TRUE(control.is_declined("/a/b"));
  EXPECT_TRUE(control.is_declined("/a/b/c/d"));
  EXPECT_FALSE(control.is_declined("/a/bc"));
  EXPECT_FALSE(control.is_declined("/a"));
  EXPECT_FALSE(control.is_declined(""));
  control.decline("");
  EXPECT_TRUE(control.is_declined("/a"));
}

TEST(WalkControl, ForgetsTheOldestOfVeryMany) {
  WalkControl control(1);
  for (int i = 0; i <= 1 << 16; ++i) control.decline("/" + std::to_string(i));
  EXPECT_FALSE(control.is_declined("/0"));
  EXPECT_TRUE(control.is_declined("/1"));
}

/// A walk of `tree` under control, on threads of its own.
struct ControlledWalk {
  ControlledWalk(const ScratchDirectory& tree, WalkControl& walk_control, unsigned threads)
      : scanner(*resolve_plan(plain_options(threads), {tree.path()}), sink, &walk_control) {
    EXPECT_TRUE(scanner.start().has_value());
  }
  CollectingSink sink;
  Scanner scanner;
};

ScratchDirectory& wide_tree(ScratchDirectory& tree) {
  for (int i = 0; i < 40; ++i) {
    const std::string place = "d" + std::to_string(i);
    tree.make_directory(place);
    tree.make_directory(place + "/inner");
    tree.make_file(place + "/inner/file");
  }
  return tree;
}

TEST(WalkControl, AWalkStaysBehindAndGoesOn) {
  ScratchDirectory tree;
  WalkControl control(3);
  ControlledWalk walk(wide_tree(tree), control, 4);
  // The root and two more, whatever the threads do; each acknowledged one makes room for one.
  const auto opened = [&] { return walk.scanner.stats().open.count; };
  while (opened() < 3) std::this_thread::yield();
  control.acknowledge(5);
  while (opened() < 8) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(opened(), 8u);
  control.release();
  EXPECT_TRUE(walk.scanner.wait().complete);
  EXPECT_EQ(walk.sink.rows.size(), 1 + 40 * 3u);
  EXPECT_EQ(walk.sink.records.size(), 81u);
}

TEST(WalkControl, WhatIsDeclinedHasARecordAndIsNotOpened) {
  ScratchDirectory tree;
  WalkControl control(1);
  control.decline(wide_tree(tree) / "d7");
  control.release();
  ControlledWalk walk(tree, control, 2);
  const ScanStats stats = walk.scanner.wait();
  EXPECT_TRUE(stats.complete);
  EXPECT_EQ(stats.counts.errors, 0u);
  EXPECT_EQ(stats.open.count, 79u);
  const auto& records = walk.sink.records.at(tree / "d7");
  ASSERT_THAT(records, ::testing::SizeIs(1));
  EXPECT_EQ(records[0].flags, 0);
  EXPECT_EQ(records[0].error, 0u);
  EXPECT_FALSE(walk.sink.records.contains(tree / "d7/inner"));
}

TEST(WalkControl, LinksToDirectoriesAreToldAndNotEntered) {
  ScratchDirectory tree;
  tree.make_directory("place");
  tree.make_file("file");
  tree.make_link("place", "to-place");
  tree.make_link("file", "to-file");
  tree.make_link("nothing", "to-nothing");
  WalkControl control(100);
  ControlledWalk walk(tree, control, 1);
  EXPECT_TRUE(walk.scanner.wait().complete);
  std::map<std::string, std::pair<char, bool>> told;
  for (const Row& row : walk.sink.rows) told[row.name] = {row.entry.type, (row.entry.flags & schema::kToDirectory) != 0};
  EXPECT_EQ(told["to-place"], std::make_pair('l', true));
  EXPECT_EQ(told["to-file"], std::make_pair('l', false));
  EXPECT_EQ(told["to-nothing"], std::make_pair('l', false));
  EXPECT_EQ(told["place"], std::make_pair('d', false));
  EXPECT_EQ(walk.sink.records.size(), 2u);
}

}  // namespace
}  // namespace pwalk::testing
