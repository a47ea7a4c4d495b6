#include "worker.h"

#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "support/eventually.h"
#include "support/faulty_calls.h"
#include "support/tree_builder.h"
#include "walk_once.h"

namespace pwalk::testing {
namespace {

using schema::Column;
using schema::Operation;

using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// The row of a path; fails the test if there is not exactly one.
schema::Entry entry_of(const CollectingSink& sink, const std::string& path) {
  const auto rows = sink.by_path();
  EXPECT_EQ(rows.count(path), 1u) << path;
  const auto row = rows.find(path);
  return row == rows.end() ? schema::Entry{} : row->second.entry;
}

/// The only record of a directory.
schema::DirectoryRecord record_of(const CollectingSink& sink, const std::string& path) {
  const auto records = sink.records.find(path);
  if (records == sink.records.end() || records->second.size() != 1) {
    ADD_FAILURE() << "not one record: " << path;
    return {};
  }
  return records->second[0];
}

bool has_row(const CollectingSink& sink, const std::string& path) { return sink.by_path().count(path) != 0; }

/// top/{a, b}, each with {one, two} and a directory `deep` with a file.
class WorkerTest : public ::testing::Test {
 protected:
  WorkerTest() {
    for (const std::string side : {"a", "b"}) {
      tree.make_directory(side);
      tree.make_file(side + "/one", 11);
      tree.make_file(side + "/two", 22);
      tree.make_directory(side + "/deep");
      tree.make_file(side + "/deep/file", 33);
    }
  }
  ScanStats walk(const ScanOptions& options = plain_options()) { return walk_once(options, {tree.path()}, sink, calls); }

  ScratchDirectory tree;
  CollectingSink sink;
  FaultyCalls calls;
  static constexpr unsigned kRows = 11;
};

// ---- what is left out

TEST_F(WorkerTest, SnapshotDirectoriesAreSkippedAndCountedFilesOfThatNameAreNot) {
  tree.make_directory("a/.snapshot");
  tree.make_file("a/.snapshot/inner");
  tree.make_directory("b/.zfs");
  tree.make_file("b/.snapshots");
  ScanOptions options = plain_options();
  options.traversal.ignore_snapshots = true;
  const ScanStats stats = walk(options);
  EXPECT_EQ(stats.counts.skipped, 2u);
  EXPECT_FALSE(has_row(sink, tree / "a/.snapshot"));
  EXPECT_TRUE(has_row(sink, tree / "b/.snapshots"));
  EXPECT_EQ(stats.counts.entries, kRows + 1);
}

TEST_F(WorkerTest, SnapshotsAreFoundWithoutHelpOfTheListing) {
  tree.make_directory("a/.snapshot");
  tree.make_file("b/.zfs");
  calls.claim_type = [](unsigned char) -> unsigned char { return DT_UNKNOWN; };
  ScanOptions options = plain_options();
  options.traversal.ignore_snapshots = true;
  const ScanStats stats = walk(options);
  EXPECT_EQ(stats.counts.skipped, 1u);
  EXPECT_TRUE(has_row(sink, tree / "b/.zfs"));
}

TEST_F(WorkerTest, ExcludeWinsAndIsNotEnteredIncludeLimitsFilesOnly) {
  ScanOptions options = plain_options();
  options.traversal.exclude = {"b/deep", "two"};
  options.traversal.include = {"file", "two"};
  const ScanStats stats = walk(options);
  EXPECT_TRUE(has_row(sink, tree / "a/deep/file"));
  EXPECT_TRUE(has_row(sink, tree / "b"));
  EXPECT_FALSE(has_row(sink, tree / "b/deep"));
  EXPECT_FALSE(has_row(sink, tree / "a/two"));
  EXPECT_FALSE(has_row(sink, tree / "a/one"));
  EXPECT_EQ(sink.records.count(tree / "b/deep"), 0u);
  EXPECT_EQ(stats.counts.entries + stats.counts.skipped, kRows - 1) << "one name lies in what was not entered";
}

// ---- what is not to be believed

TEST_F(WorkerTest, TypesThatAreUnknownOrLiesAreDecidedByStatx) {
  for (const int claim : {int{DT_UNKNOWN}, int{DT_REG}, int{DT_DIR}, int{DT_LNK}, 77}) {
    sink.rows.clear(), sink.records.clear(), sink.row_count = 0;
    calls.claim_type = [claim](unsigned char) { return static_cast<unsigned char>(claim); };
    const ScanStats stats = walk();
    EXPECT_EQ(stats.counts.entries, kRows) << "claimed " << claim;
    EXPECT_EQ(stats.counts.directories, 5u);
    EXPECT_EQ(stats.counts.files, 6u);
    EXPECT_EQ(sink.records.size(), 5u);
  }
}

TEST_F(WorkerTest, NamesOnlyAsksOnlyWhatTheListingDoesNotTell) {
  ScanOptions options = plain_options();
  options.attributes.no_stat = true;
  walk(options);
  EXPECT_EQ(sink.rows.size(), kRows);
  const schema::Entry file = entry_of(sink, tree / "a/one");
  EXPECT_EQ(file.type, 'f');
  EXPECT_FALSE(file.known.has(Column::inode)) << "d_ino is not what statx says on mount points";
  EXPECT_FALSE(file.known.has(Column::size));
  EXPECT_EQ(entry_of(sink, tree / "a/deep").type, 'd');
  // The probe, the root twice, and one per directory to know it again; none per name.
  EXPECT_LE(calls.made(FaultyCall::statx), 3u + 5u);

  sink.rows.clear(), sink.row_count = 0;
  calls.claim_type = [](unsigned char) -> unsigned char { return DT_UNKNOWN; };
  walk(options);
  EXPECT_EQ(sink.rows.size(), kRows);
  EXPECT_EQ(entry_of(sink, tree / "a/one").type, 'f');
}

/// Appends one linux_dirent64 record.
void append_record(std::vector<std::byte>& block, std::string_view name, std::int64_t next, unsigned char type = DT_UNKNOWN,
                   int length = -1) {
  const std::size_t at = block.size(), size = (19 + name.size() + 1 + 7) / 8 * 8;
  block.resize(at + size);
  const std::uint64_t inode = 1;
  const auto told = std::uint16_t(length < 0 ? int(size) : length);
  std::memcpy(&block[at], &inode, 8);
  std::memcpy(&block[at + 8], &next, 8);
  std::memcpy(&block[at + 16], &told, 2);
  block[at + 18] = std::byte(type);
  std::memcpy(&block[at + 19], name.data(), name.size());
}

/// A listing that gives these blocks, then ends; the last one again and again if `forever`.
std::function<long(int, std::span<std::byte>)> listing_of(std::vector<std::vector<std::byte>> blocks, bool forever = false) {
  return [blocks = std::move(blocks), forever, at = std::size_t{0}](int, std::span<std::byte> out) mutable -> long {
    if (at == blocks.size() && !forever) return 0;
    const auto& block = blocks[std::min(at, blocks.size() - 1)];
    if (at < blocks.size()) ++at;
    std::memcpy(out.data(), block.data(), block.size());
    return long(block.size());
  };
}

TEST_F(WorkerTest, AListingWithoutProgressIsARecordAndItsRowsComeOnce) {
  std::vector<std::byte> block;
  append_record(block, "one", 7);
  append_record(block, "two", 7);
  calls.listing = listing_of({block}, true);
  const ScanStats stats = walk_once(plain_options(), {tree / "a"}, sink, calls);
  EXPECT_EQ(sink.rows.size(), 3u);
  const schema::DirectoryRecord record = record_of(sink, tree / "a");
  EXPECT_EQ(record.error, unsigned(ELOOP));
  EXPECT_EQ(record.operation, Operation::readdir);
  EXPECT_EQ(record.flags, 0);
  EXPECT_EQ(stats.counts.errors, 1u);
}

TEST_F(WorkerTest, NamesThatNoFilesystemMayGiveAreRefusedTheOthersAreKept) {
  std::vector<std::byte> block;
  append_record(block, "one", 1);
  append_record(block, "../../etc/passwd", 2);
  append_record(block, "", 3);
  append_record(block, "two", 4);
  calls.listing = listing_of({block});
  const ScanStats stats = walk_once(plain_options(), {tree / "a"}, sink, calls);
  EXPECT_EQ(sink.rows.size(), 3u);
  EXPECT_EQ(record_of(sink, tree / "a").error, unsigned(EBADMSG));
  EXPECT_EQ(record_of(sink, tree / "a").flags, 0);
  EXPECT_EQ(record_of(sink, tree / "a").entries, 2u);
  EXPECT_EQ(stats.counts.errors, 1u);
}

TEST_F(WorkerTest, ARecordThatPointsBeyondTheBlockEndsTheListing) {
  for (const int length : {0, 10, 19, 20, 4000}) {
    sink.rows.clear(), sink.records.clear(), sink.row_count = 0;
    std::vector<std::byte> block;
    append_record(block, "one", 1);
    append_record(block, "two", 2, DT_UNKNOWN, length);
    calls.listing = listing_of({block});
    walk_once(plain_options(), {tree / "a"}, sink, calls);
    EXPECT_EQ(sink.rows.size(), 2u) << length;
    EXPECT_EQ(record_of(sink, tree / "a").error, unsigned(EBADMSG)) << length;
  }
}

TEST_F(WorkerTest, NamesOfAThousandBytes) {
  const std::string name(1000, 'n');
  std::vector<std::byte> block;
  append_record(block, name, 1, DT_REG);
  calls.listing = listing_of({block});
  walk_once(plain_options(), {tree / "a"}, sink, calls);
  // This kernel's filesystems refuse to look it up; that is the row's error.
  EXPECT_EQ(entry_of(sink, tree / ("a/" + name)).error, unsigned(ENAMETOOLONG));
  ScanOptions options = plain_options();
  options.attributes.no_stat = true;
  sink.rows.clear(), sink.row_count = 0;
  calls.listing = listing_of({block});
  walk_once(options, {tree / "a"}, sink, calls);
  EXPECT_EQ(entry_of(sink, tree / ("a/" + name)).error, 0u);
}

// ---- what goes away or changes meanwhile

TEST_F(WorkerTest, ANameThatVanishesIsARowWithoutError) {
  calls.before_statx = [&](int, const char* name) {
    if (std::string_view(name) == "two") ::unlink((tree / "a/two").c_str());
  };
  const ScanStats stats = walk_once(plain_options(), {tree / "a"}, sink, calls);
  const schema::Entry gone = entry_of(sink, tree / "a/two");
  EXPECT_EQ(gone.flags, schema::kVanished);
  EXPECT_EQ(gone.error, 0u);
  EXPECT_EQ(gone.type, 'f') << "what the listing said";
  EXPECT_FALSE(gone.known.has(Column::size));
  EXPECT_EQ(stats.counts.vanished, 1u);
  EXPECT_EQ(stats.counts.errors, 0u);
}

TEST_F(WorkerTest, ADirectoryThatVanishesBeforeItIsOpened) {
  calls.before_openat = [&](const char* name) {
    if (std::string_view(name) != "deep") return;
    ::unlink((tree / "a/deep/file").c_str());
    ::rmdir((tree / "a/deep").c_str());
  };
  const ScanStats stats = walk_once(plain_options(), {tree / "a"}, sink, calls);
  EXPECT_EQ(entry_of(sink, tree / "a/deep").flags, 0u);
  EXPECT_EQ(record_of(sink, tree / "a/deep").flags, schema::kDirectoryVanished);
  EXPECT_EQ(record_of(sink, tree / "a/deep").error, 0u);
  EXPECT_EQ(stats.counts.vanished, 1u);
  EXPECT_EQ(stats.counts.errors, 0u);
}

TEST_F(WorkerTest, ADirectorySwappedForALinkIsNotFollowed) {
  calls.before_openat = [&](const char* name) {
    if (std::string_view(name) != "deep") return;
    ::rename((tree / "a/deep").c_str(), (tree / "a/moved").c_str());
    ::symlink("/etc", (tree / "a/deep").c_str());
  };
  const ScanStats stats = walk_once(plain_options(), {tree / "a"}, sink, calls);
  EXPECT_EQ(record_of(sink, tree / "a/deep").flags, schema::kDirectoryVanished);
  EXPECT_EQ(record_of(sink, tree / "a/deep").entries, 0u);
  EXPECT_FALSE(has_row(sink, tree / "a/deep/passwd"));
  EXPECT_EQ(stats.counts.errors, 0u);
}

TEST_F(WorkerTest, ADirectoryRemovedWhileItIsReadEndsNormally) {
  calls.fail_at(FaultyCall::getdents, 2, ENOENT);
  const ScanStats stats = walk_once(plain_options(), {tree / "a"}, sink, calls);
  EXPECT_EQ(record_of(sink, tree / "a").flags, schema::kDirectoryVanished);
  EXPECT_EQ(record_of(sink, tree / "a").entries, 3u) << "what was read is kept";
  EXPECT_EQ(stats.counts.errors, 0u);
}

// ---- links and loops

TEST_F(WorkerTest, FollowedLinksShowTheirTargetsBrokenOnesThemselves) {
  tree.make_link("a/one", "to_file");
  tree.make_link("a", "to_dir");
  tree.make_link("nowhere", "broken");
  tree.make_link("itself", "itself");
  ScanOptions options = plain_options(2);
  options.traversal.follow_links = true;
  const ScanStats stats = walk(options);
  EXPECT_EQ(entry_of(sink, tree / "to_file").type, 'f');
  EXPECT_EQ(entry_of(sink, tree / "to_file").size, 11u);
  EXPECT_EQ(entry_of(sink, tree / "broken").type, 'l');
  EXPECT_EQ(entry_of(sink, tree / "broken").error, 0u);
  EXPECT_EQ(entry_of(sink, tree / "itself").error, unsigned(ELOOP)) << "as find -L reports it";
  EXPECT_TRUE(has_row(sink, tree / "to_dir/deep/file"));
  EXPECT_EQ(stats.counts.errors, 1u);
}

TEST_F(WorkerTest, ALinkToAnAncestorIsAFlaggedRowThatIsNotEntered) {
  tree.make_link("../..", "a/deep/up");
  tree.make_link("../../b", "a/deep/across");
  ScanOptions options = plain_options(2);
  for (const bool no_stat : {false, true}) {
    options.traversal.follow_links = true;
    options.attributes.no_stat = no_stat;
    CollectingSink fresh;
    walk_once(options, {tree.path()}, fresh, calls);
    EXPECT_EQ(entry_of(fresh, tree / "a/deep/up").flags & schema::kLoop, schema::kLoop);
    EXPECT_EQ(entry_of(fresh, tree / "a/deep/up").type, 'd');
    EXPECT_EQ(fresh.records.count(tree / "a/deep/up"), 0u);
    EXPECT_TRUE(has_row(fresh, tree / "a/deep/across/deep/file")) << "a revisit that is no loop is legal";
  }
}

TEST_F(WorkerTest, FollowedTreesAgreeWithFind) {
  for (unsigned round = 0; round < 10; ++round) {
    const std::uint64_t seed = test_seed() + 1000 + round;
    if (seed % 7 == 0) continue;  // find -L goes by full paths and gives up beyond PATH_MAX
    SCOPED_TRACE("PWALK_TEST_SEED=" + std::to_string(seed));
    const ScratchDirectory wild;
    build_hostile_tree(wild.path(), seed);
    ScanOptions options = plain_options(2);
    options.traversal.follow_links = true;
    CollectingSink mine;
    walk_once(options, {wild.path()}, mine);
    std::vector<std::string> rows, expected;
    for (const Row& row : mine.rows)  // find prints no line for loops
      if (!(row.entry.flags & schema::kLoop) && row.entry.error == 0) rows.push_back(row.path() + row.entry.type);
    for (const auto& [path, entry] : run_find(wild.path(), {"-L"})) expected.push_back(path + entry.type);
    EXPECT_EQ(difference(rows, expected), "");
  }
}

// ---- failures are data

/// The file system rights of an ordinary user, for this thread and those it starts
/// (setfsuid(2) also takes root's capabilities over files away).
class AsOrdinaryUser {
 public:
  AsOrdinaryUser() : before_(::setfsuid(kNobody)) {}
  ~AsOrdinaryUser() { ::setfsuid(uid_t(before_)); }
  AsOrdinaryUser(const AsOrdinaryUser&) = delete;
  AsOrdinaryUser& operator=(const AsOrdinaryUser&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;
  const int before_;
};

TEST_F(WorkerTest, WhatMayNotBeOpenedOrSearched) {
  ::chmod(tree.path().c_str(), 0755);
  ::chmod((tree / "a/deep").c_str(), 0311);
  ::chmod((tree / "b/deep").c_str(), 0644);
  ScanStats stats;
  {
    const AsOrdinaryUser rights;
    stats = walk();
  }
  EXPECT_EQ(entry_of(sink, tree / "a/deep").error, 0u);
  EXPECT_EQ(record_of(sink, tree / "a/deep").error, unsigned(EACCES));
  EXPECT_EQ(record_of(sink, tree / "a/deep").operation, Operation::open);
  EXPECT_EQ(entry_of(sink, tree / "b/deep/file").error, unsigned(EACCES));
  EXPECT_EQ(entry_of(sink, tree / "b/deep/file").operation, Operation::statx);
  EXPECT_EQ(record_of(sink, tree / "b/deep").flags, schema::kComplete);
  EXPECT_EQ(stats.counts.errors, 2u);
  EXPECT_TRUE(stats.complete);
}

TEST_F(WorkerTest, AStaleDirectoryIsOpenedAgainOnce) {
  calls.fail_at(FaultyCall::getdents, 2, ESTALE);
  const ScanStats stats = walk();
  EXPECT_EQ(stats.counts.entries, kRows);
  EXPECT_EQ(stats.counts.errors, 0u);
  EXPECT_EQ(calls.made(FaultyCall::replace), 1u);
  EXPECT_EQ(calls.open_now(), 0);
}

TEST_F(WorkerTest, AStaleNameIsAskedAgainThroughANewDescriptor) {
  calls.fail_at(FaultyCall::statx, 5, ESTALE);
  const ScanStats stats = walk();
  EXPECT_EQ(stats.counts.entries, kRows);
  EXPECT_EQ(stats.counts.errors, 0u);
}

TEST_F(WorkerTest, AStaleParentIsOpenedAgainForItsChild) {
  calls.fail_at(FaultyCall::openat, 2, ESTALE);
  const ScanStats stats = walk();
  EXPECT_EQ(stats.counts.entries, kRows);
  EXPECT_EQ(stats.counts.errors, 0u);
}

TEST_F(WorkerTest, WithoutStatxInTheMiddleOfAWalkFstatatGoesOn) {
  calls.fail_at(FaultyCall::statx, 6, ENOSYS, 1u << 30);
  const ScanStats stats = walk();
  EXPECT_EQ(stats.counts.entries, kRows);
  EXPECT_EQ(stats.counts.errors, 0u);
  unsigned with = 0, without = 0;
  for (const Row& row : sink.rows) {
    EXPECT_TRUE(row.entry.known.has(Column::size));
    ++(row.entry.known.has(Column::btime) ? with : without);
  }
  EXPECT_GT(with, 0u);
  EXPECT_GT(without, 0u) << "a birth time that was not told is null, not zero";
}

/// Every name is either a row or, below a directory whose record has an error or
/// whose row has one, not reachable.
void expect_conservation(const CollectingSink& sink, const std::multimap<std::string, FoundEntry>& expected) {
  const auto rows = sink.by_path();
  for (const auto& [path, entry] : expected) {
    if (rows.count(path) >= expected.count(path)) continue;  // more is told below
    bool excused = false;
    for (std::size_t cut = path.rfind('/'); cut != std::string::npos && cut > 0; cut = path.rfind('/', cut - 1)) {
      const std::string above = path.substr(0, cut);
      const auto row = rows.find(above);
      const auto records = sink.records.find(above);
      const bool row_failed = row != rows.end() && (row->second.entry.error != 0 || row->second.entry.flags & schema::kVanished);
      const bool record_failed = records != sink.records.end() && !(records->second[0].flags & schema::kComplete);
      excused |= row_failed || record_failed;
    }
    EXPECT_TRUE(excused) << path << " was lost without a word";
  }
  for (const auto& [path, row] : rows) EXPECT_EQ(rows.count(path), 1u) << path << " came twice";
}

// The parent waits in the middle of its listing while its children are opened: a new descriptor
// must not send it back to its start.
TEST_F(WorkerTest, AStaleParentThatIsNotReadToItsEndGoesOnWhereItWas) {
  for (unsigned name = 0; name < 2000; ++name) tree.make_directory("a/wide" + std::to_string(name));
  const auto expected = run_find(tree.path());
  unsigned renewed = 0;
  for (const unsigned first : {5u, 200u, 600u, 1000u, 1500u, 2000u}) {
    FaultyCalls faulty;
    faulty.fail_at(FaultyCall::openat, first, ESTALE);
    CollectingSink rows;
    const ScanStats stats = walk_once(plain_options(1), {tree.path()}, rows, faulty, [](ScanPlan& plan) {
      plan.frontier_bytes = 1;
      plan.dirent_buffer_bytes = 512;
    });
    SCOPED_TRACE("ESTALE at open number " + std::to_string(first));
    EXPECT_EQ(rows.rows.size(), expected.size());
    expect_conservation(rows, expected);
    EXPECT_EQ(stats.counts.errors, 0u);
    EXPECT_EQ(faulty.open_now(), 0);
    renewed += faulty.made(FaultyCall::replace);
  }
  EXPECT_GT(renewed, 0u) << "what was read to its end keeps its new descriptor";
}

// Each call, each errno, each position: it ends, nothing is lost silently, nothing
// comes twice, no descriptor stays open.
TEST_F(WorkerTest, SweepOfFaults) {
  const auto expected = run_find(tree.path());
  constexpr std::array kErrors{EINTR, EAGAIN, EACCES, EIO, ENOENT, ENOTDIR, ESTALE, ETIMEDOUT, ENOSYS, EMFILE, ENFILE, ENOMEM, ELOOP};
  for (const FaultyCall call : kFaultyCalls)
    for (const int error : kErrors)
      for (const unsigned count : {1u, 1u << 30})
        for (unsigned first = 1; first <= 24; ++first) {
          FaultyCalls faulty;
          auto plan = resolve_plan(plain_options(2), {tree.path()}, faulty);
          ASSERT_TRUE(plan);
          const unsigned planning = faulty.made(call);
          faulty.fail_at(call, planning + first, error, count);
          CollectingSink rows;
          Scanner scanner(*plan, rows, faulty);
          ASSERT_TRUE(scanner.start());
          const ScanStats stats = scanner.wait();
          SCOPED_TRACE("call " + std::to_string(int(call)) + " errno " + std::to_string(error) + " first " +
                       std::to_string(first) + " count " + std::to_string(count));
          EXPECT_TRUE(stats.complete);
          EXPECT_EQ(faulty.open_now(), 0);
          EXPECT_THAT(rows.complaints, IsEmpty());
          expect_conservation(rows, expected);
          if (HasFailure()) return;
          if (faulty.made(call) < planning + first) break;  // the walk makes fewer of them
        }
}

TEST_F(WorkerTest, RandomFaultsInRandomTrees) {
  std::uint64_t seed = test_seed();
  for (unsigned round = 0; round < 40; ++round) {
    SCOPED_TRACE("PWALK_TEST_SEED=" + std::to_string(test_seed()));
    const ScratchDirectory wild;
    build_hostile_tree(wild.path(), seed += 7919);
    const auto expected = run_find(wild.path());
    FaultyCalls faulty;
    faulty.most_open = 4 + unsigned(seed % 5);
    auto plan = resolve_plan(plain_options(1 + unsigned(seed % 3)), {wild.path()}, faulty);
    plan->descriptor_budget = 2 * plan->threads;
    plan->frontier_bytes = 1;
    plan->dirent_buffer_bytes = 512;
    faulty.fail_at(kFaultyCalls[seed / 3 % kFaultyCalls.size()], 1 + unsigned(seed % 100), seed % 2 ? EIO : ESTALE, 1 + unsigned(seed % 4));
    CollectingSink rows;
    Scanner scanner(*plan, rows, faulty);
    ASSERT_TRUE(scanner.start());
    scanner.wait();
    EXPECT_EQ(faulty.open_now(), 0);
    expect_conservation(rows, expected);
    if (HasFailure()) return;
  }
}

/// Whose names idle threads take, while descriptors are short and it is put aside now and then.
TEST_F(WorkerTest, RandomFaultsInADirectoryThatThreadsShare) {
  for (unsigned name = 0; name < 1500; ++name) tree.make_file("a/file" + std::to_string(name));
  for (unsigned name = 0; name < 300; ++name) tree.make_directory("a/directory" + std::to_string(name));
  const auto expected = run_find(tree.path());
  constexpr std::array kErrors{ESTALE, EIO, EMFILE, ENOENT, EACCES, ENOMEM};
  std::mt19937_64 random(test_seed());
  bool shared = false;
  for (unsigned round = 0; round < 100; ++round) {
    FaultyCalls faulty;
    const FaultyCall call = kFaultyCalls[random() % kFaultyCalls.size()];
    const int error = kErrors[random() % kErrors.size()];
    const unsigned first = 1 + unsigned(random() % (call == FaultyCall::statx ? 1900 : 300)), count = 1 + unsigned(random() % 4);
    SCOPED_TRACE("PWALK_TEST_SEED=" + std::to_string(test_seed()) + " call " + std::to_string(int(call)) + " errno " +
                 std::to_string(error) + " at " + std::to_string(first) + " times " + std::to_string(count));
    std::mutex mutex;
    std::set<std::thread::id> askers;
    faulty.before_statx = [&](int, const char* name) {
      const std::lock_guard lock(mutex);
      if (std::string_view(name).starts_with("file1")) askers.insert(std::this_thread::get_id());
    };
    faulty.fail_at(call, first, error, count);
    ScanOptions options = plain_options(3);
    options.kernel.use_getdents = round % 4 != 0;
    CollectingSink rows;
    walk_once(options, {tree.path()}, rows, faulty, [](ScanPlan& plan) {
      plan.frontier_bytes = 1;
      plan.dirent_buffer_bytes = 8192;
      plan.descriptor_budget = 6;
      for (PlannedRoot& root : plan.roots) root.split_names = 16;
    });
    shared |= askers.size() > 1;
    EXPECT_EQ(faulty.open_now(), 0);
    expect_conservation(rows, expected);
    std::map<std::string, std::uint64_t> count_of;
    for (const Row& row : rows.rows) ++count_of[row.directory];
    for (const auto& [path, records] : rows.records) {
      EXPECT_EQ(records.size(), 1u) << path;
      EXPECT_EQ(records[0].entries, count_of[path]) << path;
    }
    if (HasFailure()) return;
  }
  EXPECT_TRUE(shared);
}

// ---- calls wait for a server

/// Each root is walked as if it lay on FUSE.
void as_on_fuse(ScanPlan& plan) {
  for (PlannedRoot& root : plan.roots) root.profile = Profile::fuse, root.split_names = 8;
}

TEST_F(WorkerTest, DirectoriesAreAskedAboutFirstWhereCallsWait) {
  tree.make_directory("c");
  for (unsigned name = 0; name < 60; ++name)
    name % 20 == 10 ? tree.make_directory("c/directory" + std::to_string(name)) : tree.make_file("c/file" + std::to_string(name));
  std::string order;
  calls.before_statx = [&](int, const char* name) {
    const std::string_view asked = name;
    if (asked.starts_with("directory")) order += 'd';
    if (asked.starts_with("file") && asked.size() > 4) order += 'f';
  };
  CollectingSink rows;
  walk_once(plain_options(1), {tree / "c"}, rows, calls, as_on_fuse);
  EXPECT_EQ(order, "ddd" + std::string(57, 'f'));
}

/// The others are busy when the block is read, and one is idle before its end.
TEST_F(WorkerTest, WhoIsIdleInTheMiddleOfABlockHelpsWithTheRest) {
  for (const char* directory : {"c", "c/large", "c/small"}) tree.make_directory(directory);
  for (unsigned name = 0; name < 400; ++name) tree.make_file("c/large/file" + std::to_string(name));
  tree.make_file("c/small/only");
  std::atomic<bool> other_is_busy{false};
  std::atomic<unsigned> asked{0};
  std::mutex mutex;
  std::set<std::thread::id> askers;
  calls.before_openat = [&](const char* name) {
    if (std::string_view(name) == "large") eventually([&] { return other_is_busy.load(); });
  };
  calls.before_statx = [&](int, const char* name) {
    if (std::string_view(name) == "only") {
      other_is_busy = true;
      eventually([&] { return asked >= 50; });
    }
    if (!std::string_view(name).starts_with("file")) return;
    if (++asked > 50) std::this_thread::sleep_for(1ms);
    const std::lock_guard lock(mutex);
    askers.insert(std::this_thread::get_id());
  };
  CollectingSink rows;
  const ScanStats stats = walk_once(plain_options(2), {tree / "c"}, rows, calls, as_on_fuse);
  EXPECT_EQ(stats.counts.entries, 404u);
  EXPECT_EQ(rows.rows.size(), 404u);
  EXPECT_EQ(askers.size(), 2u);
}

// ---- descriptors run short

TEST_F(WorkerTest, OutOfDescriptorsIsWaitedForAndNothingIsDropped) {
  build_chain(tree.path(), 60, 10, 3);
  const auto expected = run_find(tree.path());
  for (const unsigned threads : {1u, 2u, 4u}) {
    FaultyCalls scarce;
    scarce.most_open = 2 * threads + 1;
    CollectingSink rows;
    const ScanStats stats = walk_once(plain_options(threads), {tree.path()}, rows, scarce);
    EXPECT_EQ(rows.rows.size(), expected.size());
    EXPECT_EQ(stats.counts.errors, 0u);
    EXPECT_EQ(scarce.open_now(), 0);
  }
}

TEST_F(WorkerTest, SuspendedDirectoriesGoOnWhereTheyWere) {
  for (unsigned name = 0; name < 2000; ++name) tree.make_directory("a/wide" + std::to_string(name));
  const auto expected = run_find(tree.path());
  for (const bool getdents : {true, false}) {
    FaultyCalls scarce;
    // A quick thief leaves nothing to put aside: then once more.
    for (int round = 0; round < 20 && scarce.made(FaultyCall::seek) == 0; ++round) {
      ScanOptions options = plain_options(2);
      options.kernel.use_getdents = getdents;
      CollectingSink rows;
      walk_once(options, {tree.path()}, rows, scarce, [](ScanPlan& plan) {
        plan.frontier_bytes = 1;  // the least share is 64 KiB: suspend often with small blocks
        plan.dirent_buffer_bytes = 512;
        plan.descriptor_budget = 4;
      });
      EXPECT_EQ(rows.rows.size(), expected.size());
      expect_conservation(rows, expected);
    }
    EXPECT_GT(scarce.made(FaultyCall::seek), 0u) << "never gave back the descriptor of a directory put aside";
  }
}

}  // namespace
}  // namespace pwalk::testing
