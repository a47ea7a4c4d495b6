#include "pwalk/known_tree.h"

#include <gmock/gmock.h>

#include "support/faulty_calls.h"
#include "support/tree_builder.h"
#include "walk_once.h"

namespace pwalk::testing {
namespace {

using schema::Column;

/// What a walk found, known to the next one.
class FoundBefore final : public KnownTree {
 public:
  explicit FoundBefore(const CollectingSink& sink) {
    for (const auto& [path, records] : sink.records) listings_[path];
    for (const Row& row : sink.rows) {
      rows_[row.path()] = row;
      if (row.entry.depth != 0) listings_[row.directory].push_back(&rows_[row.path()]);
    }
  }
  std::unique_ptr<KnownDirectories> reader() const override;

 private:
  friend class FoundReader;
  std::map<std::string, Row> rows_;
  std::map<std::string, std::vector<const Row*>> listings_;
};

class FoundReader final : public KnownDirectories {
 public:
  explicit FoundReader(const FoundBefore& found) : found_(found) {}
  bool open(std::string_view path, const DirectoryLook& now) override {
    const auto row = found_.rows_.find(std::string(path));
    const auto listing = found_.listings_.find(std::string(path));
    if (row == found_.rows_.end() || listing == found_.listings_.end()) return false;
    const schema::Entry& was = row->second.entry;
    listing_ = &listing->second;
    at_ = 0;
    return was.inode == now.inode && was.device == now.device && was.mtime == now.mtime && was.ctime == now.ctime;
  }
  bool has_directories() const override {
    return std::any_of(listing_->begin(), listing_->end(), [](const Row* row) { return row->entry.type == 'd'; });
  }
  void skip(std::uint64_t entries) override { at_ += entries; }
  bool next(schema::Entry& entry) override {
    if (at_ == listing_->size()) return false;
    const Row& row = *(*listing_)[at_++];
    entry = row.entry;
    entry.name = row.name;
    return true;
  }

 private:
  const FoundBefore& found_;
  const std::vector<const Row*>* listing_ = nullptr;
  std::size_t at_ = 0;
};

std::unique_ptr<KnownDirectories> FoundBefore::reader() const { return std::make_unique<FoundReader>(*this); }

/// Everything that was found, as lines.
std::vector<std::string> lines_of(const CollectingSink& sink) {
  std::vector<std::string> lines;
  for (const Row& row : sink.rows)
    lines.push_back(row.path() + " " + row.entry.type + " " + std::to_string(row.entry.inode) + " " +
                    std::to_string(row.entry.size) + " " + std::to_string(row.entry.mtime) + " " + std::to_string(row.entry.depth));
  for (const auto& [path, records] : sink.records)
    for (const auto& record : records)
      lines.push_back(path + ": " + std::to_string(record.entries) + " " + std::to_string(record.bytes) + " " +
                      std::to_string(record.flags) + " " + std::to_string(record.error));
  return lines;
}

ScanStats walk_knowing(const ScanPlan& plan, CollectingSink& sink, const FaultyCalls& calls, const KnownTree& known) {
  Scanner scanner(plan, sink, calls, nullptr, &known);
  EXPECT_TRUE(scanner.start());
  return scanner.wait();
}

class KnownTreeTest : public ::testing::Test {
 protected:
  ScanPlan plan(unsigned threads = 1) {
    auto resolved = resolve_plan(plain_options(threads), {tree.path()});
    EXPECT_TRUE(resolved);
    return *std::move(resolved);
  }
  ScratchDirectory tree;
};

/// Of leaves that look as they did nothing is asked, of other directories what lies in them and is one.
TEST_F(KnownTreeTest, what_looks_as_it_did_is_not_read) {
  for (const std::string side : {"a", "b", "c"}) {
    tree.make_directory(side);
    for (int i = 0; i < 20; ++i) tree.make_file(side + "/" + std::to_string(i), 10);
    tree.make_directory(side + "/leaf");
    tree.make_file(side + "/leaf/file", 7);
  }
  CollectingSink before;
  walk_once(plain_options(), {tree.path()}, before);
  const FoundBefore known(before);
  {
    FaultyCalls calls;
    CollectingSink sink;
    const ScanStats stats = walk_knowing(plan(), sink, calls, known);
    EXPECT_TRUE(stats.complete);
    EXPECT_EQ(stats.repeated_directories, 7u);
    EXPECT_EQ(calls.made(FaultyCall::getdents), 0u);
    EXPECT_EQ(calls.made(FaultyCall::openat) + calls.made(FaultyCall::open), 4u);  // for the leaves in them: the root, a, b, c
    EXPECT_EQ(calls.made(FaultyCall::statx), 7u);
    EXPECT_EQ(stats.counts.entries, 1u + 3 * 23);
    EXPECT_EQ(stats.counts.bytes, 3u * 207);
    EXPECT_EQ(difference(lines_of(sink), lines_of(before)), "");
  }
  tree.make_file("b/leaf/another", 5);
  tree.make_directory("c/new");
  CollectingSink fresh, sink;
  walk_once(plain_options(), {tree.path()}, fresh);
  FaultyCalls calls;
  const ScanStats stats = walk_knowing(plan(), sink, calls, known);
  EXPECT_EQ(stats.repeated_directories, 7u - 2);  // not b/leaf, c
  EXPECT_EQ(difference(lines_of(sink), lines_of(fresh)), "");
}

/// A directory of more directories than the frontier holds is put aside in between.
TEST_F(KnownTreeTest, is_put_aside_and_taken_up_again) {
  for (int i = 0; i < 3000; ++i) tree.make_directory("d" + std::to_string(i));
  for (int i = 0; i < 50; ++i) tree.make_file("d" + std::to_string(i) + "/file");
  CollectingSink before;
  walk_once(plain_options(), {tree.path()}, before);
  const FoundBefore known(before);
  for (const unsigned threads : {1u, 4u}) {
    ScanPlan small = plan(threads);
    small.frontier_bytes = 1;
    small.descriptor_budget = 2 * threads;
    FaultyCalls calls;
    CollectingSink sink;
    const ScanStats stats = walk_knowing(small, sink, calls, known);
    EXPECT_TRUE(stats.complete);
    EXPECT_EQ(calls.made(FaultyCall::getdents), 0u);
    EXPECT_EQ(stats.repeated_directories, 3001u);
    EXPECT_EQ(difference(lines_of(sink), lines_of(before)), "");
    EXPECT_EQ(calls.open_now(), 0);
  }
}

TEST_F(KnownTreeTest, a_failure_is_told_as_ever) {
  tree.make_directory("a");
  tree.make_directory("a/leaf");
  tree.make_file("a/file");
  CollectingSink before;
  walk_once(plain_options(), {tree.path()}, before);
  const FoundBefore known(before);
  FaultyCalls calls;
  calls.fail_at(FaultyCall::openat, 1, EACCES);  // the root is opened by open()
  CollectingSink sink;
  const ScanStats stats = walk_knowing(plan(), sink, calls, known);
  EXPECT_EQ(stats.counts.errors, 1u);
  ASSERT_EQ(sink.records[tree / "a"].size(), 1u);
  EXPECT_EQ(sink.records[tree / "a"][0].error, std::uint32_t(EACCES));
  EXPECT_EQ(stats.counts.entries, 2u);
}

}  // namespace
}  // namespace pwalk::testing
