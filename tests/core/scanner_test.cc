#include "pwalk/scanner.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "support/faulty_calls.h"
#include "support/tree_builder.h"
#include "walk_once.h"

namespace pwalk::testing {
namespace {

using schema::Column;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

std::vector<std::string> paths_of(const CollectingSink& sink) {
  std::vector<std::string> paths;
  for (const Row& row : sink.rows) paths.push_back(row.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// One line per row and per found entry, so that multisets can be compared and shown.
std::string line_of(const std::string& path, const FoundEntry& e) {
  return path + ' ' + e.type + ' ' + std::to_string(e.inode) + ' ' + std::to_string(e.device) + ' ' +
         std::to_string(e.size) + ' ' + std::to_string(e.blocks) + ' ' + std::to_string(e.mode) + ' ' +
         std::to_string(e.nlink) + ' ' + std::to_string(e.uid) + ' ' + std::to_string(e.gid) + ' ' +
         std::to_string(e.depth) + ' ' + std::to_string(e.mtime);
}

std::vector<std::string> lines_of(const std::multimap<std::string, FoundEntry>& found) {
  std::vector<std::string> lines;
  for (const auto& [path, entry] : found) lines.push_back(line_of(path, entry));
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::vector<std::string> lines_of(const CollectingSink& sink) {
  std::vector<std::string> lines;
  for (const Row& row : sink.rows) {
    const schema::Entry& e = row.entry;
    FoundEntry same;
    same.type = e.type, same.inode = e.inode, same.device = e.device, same.size = e.size, same.blocks = e.blocks;
    same.mode = e.mode & 07777, same.nlink = e.nlink, same.uid = e.uid, same.gid = e.gid, same.depth = e.depth;
    same.mtime = e.mtime;
    lines.push_back(line_of(row.path(), same));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST(Scanner, AgreesWithFindOnHostileTrees) {
  for (unsigned round = 0; round < 30; ++round) {
    const std::uint64_t seed = test_seed() + round;
    SCOPED_TRACE("PWALK_TEST_SEED=" + std::to_string(seed));
    const ScratchDirectory tree;
    build_hostile_tree(tree.path(), seed);
    const auto expected = lines_of(run_find(tree.path()));
    for (const unsigned threads : {1u, 2u, 8u}) {
      CollectingSink sink;
      const ScanStats stats = walk_once(plain_options(threads), {tree.path()}, sink);
      EXPECT_EQ(difference(lines_of(sink), expected), "") << threads << " threads";
      EXPECT_TRUE(stats.complete);
      EXPECT_EQ(stats.counts.errors, 0u);
      EXPECT_EQ(sink.records.size(), stats.counts.directories);
      if (HasFailure()) return;
    }
  }
}

// Threads are started and park in the middle of the walk, as latency changes.
TEST(Scanner, AdaptingThreadsLoseNothing) {
  bool grew = false;  // in one of many rounds: a busy machine may keep a round from it
  for (unsigned round = 0; round < 4 || (!grew && round < 40); ++round) {
    const std::uint64_t seed = test_seed() + round;
    SCOPED_TRACE("PWALK_TEST_SEED=" + std::to_string(seed));
    const ScratchDirectory tree;
    for (int i = 0; i < 200; ++i) {
      tree.make_directory("d" + std::to_string(i));
      for (int k = 0; k < 10; ++k) tree.make_file("d" + std::to_string(i) + "/f" + std::to_string(k));
    }
    FaultyCalls calls;
    std::atomic<unsigned> asked{0};
    calls.before_statx = [&](int, const char*) {  // slow at times, so that the number goes up and down
      if (asked++ % 1000 < 700) std::this_thread::sleep_for(std::chrono::microseconds(300));
    };
    ScanOptions options;
    options.kernel.profile = Profile::fuse;
    options.threads.max_threads = 64;
    CollectingSink sink;
    const ScanStats stats = walk_once(options, {tree.path()}, sink, calls, [](ScanPlan& plan) { plan.threads = 2; });
    EXPECT_EQ(difference(lines_of(sink), lines_of(run_find(tree.path()))), "");
    EXPECT_TRUE(stats.complete);
    EXPECT_LE(stats.threads, 64u);
    EXPECT_EQ(calls.open_now(), 0);
    grew = grew || stats.threads > 2;
  }
  EXPECT_TRUE(grew);
}

/// One directory of 3,000 files, and who asked the attributes in it.
struct LargeDirectory {
  LargeDirectory() {
    for (int i = 0; i < 3000; ++i) tree.make_file("file with a longish name " + std::to_string(i), 3);
    calls.before_statx = [this](int, const char* name) {
      if (name[0] != 'f') return;
      std::this_thread::sleep_for(std::chrono::microseconds(20));
      const std::lock_guard lock(mutex);
      askers.insert(std::this_thread::get_id());
      if (++asked == cancel_at) cancel();
    };
  }

  ScratchDirectory tree;
  FaultyCalls calls;
  std::mutex mutex;
  std::set<std::thread::id> askers;
  unsigned asked = 0, cancel_at = 0;
  std::function<void()> cancel;
};

TEST(Scanner, IdleThreadsHelpWithALargeDirectory) {
  LargeDirectory large;
  for (unsigned round = 0; round < 20 && large.askers.size() < 2; ++round) {  // a busy machine may wake them late
    CollectingSink sink;
    const ScanStats stats = walk_once(plain_options(4), {large.tree.path()}, sink, large.calls);
    EXPECT_EQ(difference(lines_of(sink), lines_of(run_find(large.tree.path()))), "");
    EXPECT_TRUE(stats.complete);
    ASSERT_THAT(sink.records[large.tree.path()], SizeIs(1));
    const schema::DirectoryRecord& record = sink.records[large.tree.path()][0];
    EXPECT_EQ(record.entries, 3000u);
    EXPECT_EQ(record.bytes, 9000u);
    EXPECT_EQ(record.flags, schema::kComplete);
    if (large.askers.size() < 2) large.askers.clear();  // one alone in each round is not two
  }
  EXPECT_GT(large.askers.size(), 1u);
}

TEST(Scanner, WhereOneReaderIsExpectedThereIsOne) {
  for (const Profile profile : {Profile::nfs, Profile::lustre, Profile::gpfs, Profile::cephfs}) {
    LargeDirectory large;
    ScanOptions options = plain_options(4);
    options.kernel.profile = profile;
    CollectingSink sink;
    walk_once(options, {large.tree.path()}, sink, large.calls);
    EXPECT_EQ(large.askers.size(), 1u);
  }
}

TEST(Scanner, ALargeDirectoryInSeveralHandsCanBeCancelled) {
  LargeDirectory large;
  large.cancel_at = 1000;
  CollectingSink sink;
  auto plan = resolve_plan(plain_options(4), {large.tree.path()}, large.calls);
  ASSERT_TRUE(plan);
  Scanner scanner(*plan, sink, large.calls);
  large.cancel = [&] { scanner.cancel(); };
  ASSERT_TRUE(scanner.start());
  const ScanStats stats = scanner.wait();
  EXPECT_FALSE(stats.complete);
  EXPECT_EQ(stats.counts.entries, sink.row_count);
  EXPECT_EQ(large.calls.open_now(), 0);
}

/// What was dealt out waits while the listing is read to its end, and is dropped then.
TEST(Scanner, ADirectoryWhosePartsWereDroppedIsNotComplete) {
  bool dropped = false;
  for (unsigned round = 0; round < 20 && !dropped; ++round) {  // a busy machine may wake the helper late
    LargeDirectory large;
    std::atomic<bool> ended{false};
    std::function<void()> cancel;
    large.calls.listing = [&](int directory, std::span<std::byte> buffer) {
      const long got = large.calls.list(directory, buffer);
      ended = ended || got == 0;
      return got;
    };
    large.calls.before_statx = [&](int, const char* name) {
      if (name[0] == 'f' && ended) cancel();
    };
    CollectingSink sink;
    auto plan = resolve_plan(plain_options(2), {large.tree.path()}, large.calls);
    ASSERT_TRUE(plan);
    Scanner scanner(*plan, sink, large.calls);
    cancel = [&] { scanner.cancel(); };
    ASSERT_TRUE(scanner.start());
    scanner.wait();
    ASSERT_THAT(sink.records[large.tree.path()], SizeIs(1));
    const schema::DirectoryRecord& record = sink.records[large.tree.path()][0];
    dropped = record.entries < 3000;
    if (dropped) {
      EXPECT_EQ(record.flags, 0u);
    }
  }
  EXPECT_TRUE(dropped);
}

TEST(Scanner, WithoutAutoTuneTheNumberIsFixed) {
  const ScratchDirectory tree;
  ScanOptions options = plain_options(3);
  options.kernel.profile = Profile::fuse;
  CollectingSink sink;
  const ScanStats stats = walk_once(options, {tree.path()}, sink);
  EXPECT_EQ(stats.threads, 3u);
  EXPECT_EQ(stats.wanted_threads, 3u);
}

TEST(Scanner, AgreesWithFindForReaddirAndFstatat) {
  const ScratchDirectory tree;
  build_hostile_tree(tree.path(), test_seed());
  ScanOptions options = plain_options(2);
  options.kernel.use_getdents = false;
  options.kernel.use_statx = false;
  CollectingSink sink;
  walk_once(options, {tree.path()}, sink);
  EXPECT_EQ(difference(lines_of(sink), lines_of(run_find(tree.path()))), "");
  for (const Row& row : sink.rows) {
    EXPECT_FALSE(row.entry.known.has(Column::btime)) << "fstatat tells no birth time";
    EXPECT_FALSE(row.entry.known.has(Column::mount_id));
  }
}

TEST(Scanner, EveryDirectoryHasOneRecordThatAddsUp) {
  const ScratchDirectory tree;
  build_hostile_tree(tree.path(), 7);
  CollectingSink sink;
  walk_once(plain_options(2), {tree.path()}, sink);
  std::map<std::string, schema::DirectoryRecord> sums;
  for (const Row& row : sink.rows) {
    if (row.entry.type == 'd') sums[row.path()];
    if (row.entry.depth == 0) continue;
    ++sums[row.directory].entries;
    const std::uint64_t bytes = sums[row.directory].bytes + row.entry.size;
    sums[row.directory].bytes = bytes < row.entry.size ? ~std::uint64_t{0} : bytes;
  }
  ASSERT_EQ(sums.size(), sink.records.size());
  for (const auto& [path, sum] : sums) {
    ASSERT_THAT(sink.records[path], SizeIs(1)) << path;
    EXPECT_EQ(sink.records[path][0].entries, sum.entries) << path;
    EXPECT_EQ(sink.records[path][0].bytes, sum.bytes) << path;
    EXPECT_EQ(sink.records[path][0].flags, schema::kComplete) << path;
  }
}

TEST(Scanner, RootsOfEveryShape) {
  const ScratchDirectory tree;
  tree.make_directory("dir");
  tree.make_directory("dir/sub");
  tree.make_file("dir/file", 5);
  tree.make_link("dir", "to_dir");
  tree.make_link("dir/file", "to_file");
  tree.make_link("nowhere", "broken");
  const std::string& top = tree.path();
  CollectingSink sink;
  const ScanStats stats = walk_once(
      plain_options(2), {tree / "dir//", tree / "dir/sub", tree / "to_dir", tree / "to_file", tree / "broken", tree / "gone", tree / "dir/./"},
      sink);
  EXPECT_THAT(paths_of(sink), ElementsAre(top + "/broken", top + "/dir", top + "/dir", top + "/dir/file", top + "/dir/file",
                                          top + "/dir/sub", top + "/dir/sub", top + "/dir/sub", top + "/gone", top + "/to_dir",
                                          top + "/to_dir/file", top + "/to_dir/sub", top + "/to_file"));
  const auto rows = sink.by_path();
  EXPECT_EQ(rows.find(tree / "broken")->second.entry.type, 'l');
  EXPECT_EQ(rows.find(tree / "to_dir")->second.entry.type, 'd');
  EXPECT_EQ(rows.find(tree / "to_file")->second.entry.size, 5u);
  EXPECT_EQ(rows.find(tree / "to_file")->second.entry.type, 'f');
  const schema::Entry& gone = rows.find(tree / "gone")->second.entry;
  EXPECT_EQ(gone.error, unsigned(ENOENT));
  EXPECT_EQ(gone.operation, schema::Operation::statx);
  EXPECT_EQ(gone.flags, 0u) << "a missing root is an error, not a name that vanished";
  EXPECT_EQ(stats.counts.errors, 1u);
  EXPECT_TRUE(stats.complete);
  ASSERT_THAT(stats.roots, SizeIs(7));
  EXPECT_FALSE(stats.roots[5].complete);
  EXPECT_TRUE(stats.roots[0].complete);
  EXPECT_EQ(stats.roots[0].counts.entries, 3u);
  EXPECT_FALSE(stats.roots[0].mount.empty());
}

TEST(Scanner, TheRootDirectoryHasAnEmptyName) {
  ScanOptions options = plain_options();
  options.traversal.max_depth = 1;
  CollectingSink sink;
  walk_once(options, {"/"}, sink);
  ASSERT_FALSE(sink.rows.empty());
  EXPECT_EQ(sink.rows[0].path(), "/");
  EXPECT_EQ(sink.rows[0].entry.depth, 0u);
  EXPECT_EQ(sink.records.count(""), 1u);
  std::vector<std::string> expected{"/"};
  for (const auto& entry : std::filesystem::directory_iterator("/")) expected.push_back(entry.path());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(difference(paths_of(sink), expected), "");
}

TEST(Scanner, RelativeRootsShowAbsolutePaths) {
  const ScratchDirectory tree;
  tree.make_directory("here");
  tree.make_file("here/file");
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(tree / "here");
  CollectingSink sink;
  walk_once(plain_options(), {".", "../here/file"}, sink);
  std::filesystem::current_path(before);
  EXPECT_THAT(paths_of(sink), ElementsAre(tree / "here", tree / "here/file", tree / "here/file"));
}

TEST(Scanner, MaxDepthAndOneFileSystemAsFind) {
  const ScratchDirectory tree;
  build_hostile_tree(tree.path(), 21);
  for (const unsigned depth : {0u, 1u, 2u, 3u}) {
    ScanOptions options = plain_options(2);
    options.traversal.max_depth = depth;
    options.traversal.one_file_system = true;
    CollectingSink sink;
    walk_once(options, {tree.path()}, sink);
    EXPECT_EQ(difference(lines_of(sink), lines_of(run_find(tree.path(), {}, {"-xdev", "-maxdepth", std::to_string(depth)}))), "");
  }
}

// /dev has other file systems mounted in it (shm, pts, mqueue) wherever tests run.
TEST(Scanner, OneFileSystemKeepsTheMountPointAndStaysOut) {
  const auto find_rows = run_find("/dev", {}, {"-xdev", "-type", "d"});
  if (find_rows.size() == run_find("/dev", {}, {"-type", "d", "-maxdepth", "2"}).size())
    GTEST_SKIP() << "nothing is mounted below /dev";
  ScanOptions options = plain_options();
  options.traversal.one_file_system = true;
  CollectingSink sink;
  walk_once(options, {"/dev"}, sink);
  std::vector<std::string> directories, expected;
  bool crossed = false;
  for (const Row& row : sink.rows) {
    if (row.entry.type != 'd') continue;
    directories.push_back(row.path());
    if (!(row.entry.flags & schema::kOtherMount)) continue;
    crossed = true;
    EXPECT_EQ(sink.records.count(row.path()), 0u) << row.path() << " was entered";
  }
  for (const auto& [path, entry] : find_rows) expected.push_back(path);
  std::sort(directories.begin(), directories.end());
  EXPECT_EQ(difference(directories, expected), "");
  EXPECT_TRUE(crossed);
}

TEST(Scanner, WithoutWorkStealingOneThreadPerRoot) {
  const ScratchDirectory tree;
  build_hostile_tree(tree.path(), 5);
  ScanOptions options = plain_options(8);
  options.threads.work_stealing = false;
  CollectingSink sink;
  const ScanStats stats = walk_once(options, {tree.path(), tree.path()}, sink);
  EXPECT_EQ(stats.threads, 2u);
  EXPECT_EQ(stats.roots[0].counts.entries, stats.roots[1].counts.entries);
  EXPECT_EQ(sink.rows.size(), 2 * run_find(tree.path()).size());
}

TEST(Scanner, CancelEndsEarlyAndSaysSo) {
  const ScratchDirectory tree;
  build_chain(tree.path(), 300, 3, 20);
  FaultyCalls calls;
  Scanner* running = nullptr;
  std::atomic<unsigned> seen{0};
  calls.before_statx = [&](int, const char*) {
    if (++seen == 500 && running) running->cancel();
  };
  auto plan = resolve_plan(plain_options(2), {tree.path()}, calls);
  CollectingSink sink;
  Scanner scanner(*plan, sink, calls);
  running = &scanner;
  std::atomic<int> ended{0};
  ASSERT_TRUE(scanner.start([&] { ++ended; }));
  const ScanStats stats = scanner.wait();
  EXPECT_FALSE(stats.complete);
  EXPECT_FALSE(stats.roots[0].complete);
  EXPECT_LT(stats.counts.entries, 6000u);
  EXPECT_EQ(sink.rows.size(), stats.counts.entries) << "rows already found are published";
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(stats.waiting_directories, 0u);
  EXPECT_EQ(calls.open_now(), 0) << "descriptors leaked";
}

TEST(Scanner, ASinkThatStopsEndsTheWalk) {
  const ScratchDirectory tree;
  build_chain(tree.path(), 100, 3, 20);
  CollectingSink sink;
  sink.refusing = true;
  ScanOptions options = plain_options(2);
  options.batch.batch_size = 10;
  const ScanStats stats = walk_once(options, {tree.path()}, sink);
  EXPECT_FALSE(stats.complete);
  EXPECT_LT(stats.counts.entries, 2000u);
  EXPECT_THAT(sink.rows, IsEmpty());
}

TEST(Scanner, BatchesHoldAtMostBatchSizeRows) {
  const ScratchDirectory tree;
  build_chain(tree.path(), 40, 3, 20);
  ScanOptions options = plain_options();
  options.batch.batch_size = 7;
  CollectingSink sink;
  const ScanStats stats = walk_once(options, {tree.path()}, sink);
  EXPECT_EQ(sink.most_rows, 7u);
  EXPECT_EQ(stats.batches, sink.batches);
  EXPECT_GE(sink.batches, sink.rows.size() / 7);
}

TEST(Scanner, StatsCountCallsAndMeasureThem) {
  const ScratchDirectory tree;
  build_chain(tree.path(), 50, 3, 3);
  CollectingSink sink;
  const ScanStats stats = walk_once(plain_options(), {tree.path()}, sink);
  EXPECT_EQ(stats.open.count, 201u);
  EXPECT_EQ(stats.getdents.count, 402u);
  EXPECT_EQ(stats.statx.count, 200u);
  EXPECT_GT(stats.statx.p50_ns, 0u);
  EXPECT_LE(stats.statx.p50_ns, stats.statx.p99_ns);
}

// The whole reason for a frontier with a budget: what is kept does not grow with
// the tree. Descriptors first, on a chain far deeper than any limit on them.
TEST(Scanner, AChainOfTenThousandWithThirtyTwoDescriptors) {
  const ScratchDirectory tree;
  const std::uint64_t made = build_chain(tree.path(), 10'000, 3, 1);
  FaultyCalls calls;
  calls.most_open = 16;
  ScanOptions options = plain_options(2);
  CollectingSink sink;
  sink.keep_rows = false;
  const ScanStats stats = walk_once(options, {tree.path()}, sink, calls, [](ScanPlan& plan) { plan.descriptor_budget = 16; });
  EXPECT_EQ(stats.counts.entries, made + 1);
  EXPECT_EQ(stats.counts.errors, 0u);
  EXPECT_EQ(sink.record_count, made + 1);
  EXPECT_LE(calls.open_at_most(), 16);
  EXPECT_EQ(calls.open_now(), 0);
}

/// A stream of readdir(3) is a descriptor more per thread, an object that is asked open another.
TEST(Scanner, ThirtyTwoDescriptorsAreEnoughWhateverAThreadHolds) {
  struct FewDescriptors : FaultyCalls {
    sys::DescriptorLimit descriptor_limit() const override { return {32, 32}; }
  };
  const ScratchDirectory tree;
  build_chain(tree.path(), 300, 3, 3);
  for (int i = 0; i < 300; ++i) tree.make_file("file" + std::to_string(i));
  const std::size_t expected = run_find(tree.path()).size();
  for (const bool getdents : {true, false})
    for (const char* columns : {"size", "size,project"}) {
      FewDescriptors calls;
      calls.most_open = 16;
      ScanOptions options = plain_options(64);
      options.kernel.use_getdents = getdents;
      options.attributes.columns = columns;
      CollectingSink sink;
      const ScanStats stats = walk_once(options, {tree.path()}, sink, calls);
      SCOPED_TRACE(std::string(columns) + (getdents ? "" : ", readdir"));
      EXPECT_GE(stats.threads, 4u);
      EXPECT_EQ(stats.counts.entries, expected);
      EXPECT_EQ(stats.counts.errors, 0u);
      EXPECT_EQ(calls.open_now(), 0);
    }
}

/// Others of this process may hold more than was planned for.
TEST(Scanner, AStreamThatFindsNoDescriptorWaitsForOne) {
  const ScratchDirectory tree;
  const std::uint64_t made = build_chain(tree.path(), 10, 3, 1);
  for (const int shortage : {EMFILE, ENFILE}) {
    FaultyCalls calls;
    calls.fail_at(FaultyCall::stream, 5, shortage, 40);
    ScanOptions options = plain_options(1);
    options.kernel.use_getdents = false;
    CollectingSink sink;
    const ScanStats stats = walk_once(options, {tree.path()}, sink, calls);
    EXPECT_EQ(stats.counts.entries, made + 1);
    EXPECT_EQ(stats.counts.errors, 0u);
    EXPECT_GT(calls.sleeps, 0u);
    EXPECT_EQ(calls.open_now(), 0);
  }
}

TEST(Scanner, PathsFarBeyondPathMax) {
  const ScratchDirectory tree;
  const std::uint64_t made = build_chain(tree.path(), 1000, 250);
  CollectingSink sink;
  sink.keep_rows = false;
  const ScanStats stats = walk_once(plain_options(2), {tree.path()}, sink);
  EXPECT_EQ(stats.counts.entries, made + 1);
  EXPECT_EQ(stats.counts.errors, 0u);
  EXPECT_EQ(sink.longest_path, tree.path().size() + 1000 * 251);
}

TEST(Scanner, APathThatNoBatchCanCarryIsARecord) {
  const ScratchDirectory tree;
  build_chain(tree.path(), 200, 250);
  CollectingSink sink(32 * 1024);
  const ScanStats stats = walk_once(plain_options(2), {tree.path()}, sink);
  EXPECT_FALSE(sink.saw_oversized());
  EXPECT_EQ(stats.counts.errors, 1u);
  unsigned refused = 0;
  for (const auto& [path, records] : sink.records)
    for (const schema::DirectoryRecord& record : records) {
      if (record.error == 0) continue;
      ++refused;
      EXPECT_EQ(record.error, unsigned(ENAMETOOLONG));
      EXPECT_EQ(record.operation, schema::Operation::path);
      EXPECT_EQ(record.flags, 0);
      EXPECT_EQ(sink.by_path().count(path), 1u) << "its own row is there";
    }
  EXPECT_EQ(refused, 1u);
}

/// A listing of `names` subdirectories that all are the same real one, made up
/// block by block: as wide as we like, without making it.
class WideListing {
 public:
  WideListing(std::uint64_t names, std::string inner) : names_(names), inner_(std::move(inner)) {}

  long fill(std::span<std::byte> block) {
    std::size_t used = 0;
    for (; given_ < names_; ++given_) {
      const std::size_t length = (19 + inner_.size() + 1 + 7) / 8 * 8;
      if (used + length > block.size()) break;
      std::memset(&block[used], 0, length);
      const std::uint64_t inode = given_ + 1;
      const std::int64_t next = std::int64_t(given_ + 1);
      const auto record = std::uint16_t(length);
      std::memcpy(&block[used], &inode, 8);
      std::memcpy(&block[used + 8], &next, 8);
      std::memcpy(&block[used + 16], &record, 2);
      block[used + 18] = std::byte(DT_DIR);
      std::memcpy(&block[used + 19], inner_.data(), inner_.size());
      used += length;
    }
    return long(used);
  }

 private:
  const std::uint64_t names_;
  const std::string inner_;
  std::uint64_t given_ = 0;
};

TEST(Scanner, AWideDirectoryDoesNotFillTheFrontier) {
  const ScratchDirectory tree;
  tree.make_directory("inner");
  constexpr std::uint64_t kNames = 200'000;
  WideListing listing(kNames, "inner");
  FaultyCalls calls;
  int top = -1;
  std::mutex mutex;
  calls.listing = [&](int fd, std::span<std::byte> block) -> long {
    const std::lock_guard lock(mutex);
    if (top < 0) top = fd;
    return fd == top ? listing.fill(block) : 0;
  };
  std::atomic<std::uint64_t> most_waiting{0};
  Scanner* running = nullptr;
  std::atomic<unsigned> opened{0};
  calls.before_openat = [&](const char*) {
    if (++opened % 256 == 0) most_waiting = std::max<std::uint64_t>(most_waiting, running->stats().waiting_directories);
  };
  auto plan = resolve_plan(plain_options(), {tree.path()}, calls);
  plan->frontier_bytes = 256 * 1024;
  class : public BatchSink {
   public:
    Result<void> accept(unsigned, const schema::FinishedBatch&) override { return {}; }
    std::size_t max_batch_bytes() const override { return 1 << 26; }
  } sink;
  Scanner scanner(*plan, sink, calls);
  running = &scanner;
  ASSERT_TRUE(scanner.start());
  const ScanStats stats = scanner.wait();
  EXPECT_EQ(stats.counts.entries, kNames + 1);
  EXPECT_EQ(stats.open.count, kNames + 1);
  // 256 KiB at well over 64 bytes each, and one block more.
  EXPECT_LT(most_waiting, 256u * 1024 / 64 + 64 * 1024 / 32);
}

}  // namespace
}  // namespace pwalk::testing
