/// Directories whose calls do not come back: reported, left, and everything else is walked.
#include <latch>
#include <thread>

#include "call_guard.h"
#include "support/eventually.h"
#include "support/faulty_calls.h"
#include "support/tree_builder.h"
#include "walk_once.h"

namespace pwalk::testing {
namespace {

using schema::Operation;

/// One name's calls wait until released. Immortal, for the thread that hangs uses it
/// until it comes back, which is after the walk.
struct HangingCalls : FaultyCalls {
  explicit HangingCalls(Operation operation) {
    if (operation == Operation::statx) before_statx = [this](int, const char* name) { hang_at(name); };
    if (operation == Operation::open) before_openat = [this](const char* name) { hang_at(name); };
  }
  void hang_at(const char* name) {
    if (std::string_view(name) != "hangs") return;
    ++hung;
    released.wait();
    ++hung;
  }
  std::latch released{1};
  std::atomic<unsigned> hung{0};
};

ScanOptions impatient(unsigned threads) {
  ScanOptions options = plain_options(threads);
  options.etiquette.hang_timeout = Seconds{1};
  return options;
}

/// here/{hangs/below,a,b} and there/0/file ... there/29/file
void build(const ScratchDirectory& tree) {
  for (const char* directory : {"here", "here/hangs", "here/hangs/below", "there"}) tree.make_directory(directory);
  for (const char* file : {"here/a", "here/b"}) tree.make_file(file);
  for (int i = 0; i < 30; ++i) {
    tree.make_directory("there/" + std::to_string(i));
    tree.make_file("there/" + std::to_string(i) + "/file");
  }
}

class Hang : public ::testing::TestWithParam<std::tuple<Operation, unsigned>> {};

TEST_P(Hang, IsReportedAndLeft) {
  const auto [operation, threads] = GetParam();
  const ScratchDirectory tree;
  build(tree);
  auto& calls = *new HangingCalls(operation);  // never deleted, see above
  static auto& kept = *new std::vector<HangingCalls*>;  // reachable to the end, so no leak
  kept.push_back(&calls);
  CollectingSink sink;
  const auto plan = resolve_plan(impatient(threads), {tree.path()}, calls);
  ASSERT_TRUE(plan);
  {
    Scanner scanner(*plan, sink, calls);
    ASSERT_TRUE(scanner.start());
    const ScanStats stats = scanner.wait();
    EXPECT_EQ(calls.hung, 1u);
    EXPECT_FALSE(stats.complete);
    EXPECT_FALSE(stats.roots.at(0).complete);
    EXPECT_EQ(stats.waiting_directories, 0u);
    ASSERT_EQ(stats.hung.size(), 1u);
    const std::string where = operation == Operation::statx ? tree / "here" : tree / "here/hangs";
    EXPECT_EQ(stats.hung[0].path, where);
    EXPECT_EQ(stats.hung[0].operation, operation);
    ASSERT_EQ(sink.records.count(where), 1u);
    EXPECT_EQ(sink.records.at(where).at(0).error, std::uint32_t(ETIMEDOUT));
    EXPECT_EQ(sink.records.at(where).at(0).operation, operation);
    EXPECT_EQ(stats.counts.entries, sink.row_count);
    const auto rows = sink.by_path();
    for (int i = 0; i < 30; ++i) EXPECT_EQ(rows.count(tree / ("there/" + std::to_string(i) + "/file")), 1u);
    EXPECT_EQ(sink.records.count(tree / "there"), 1u);
  }
  const auto batches = sink.batches;
  calls.released.count_down();
  while (calls.hung != 2) std::this_thread::yield();
  EXPECT_EQ(sink.batches, batches) << "who was given up says nothing any more";
  EXPECT_THAT(sink.complaints, ::testing::IsEmpty());
}
INSTANTIATE_TEST_SUITE_P(All, Hang, ::testing::Combine(::testing::Values(Operation::statx, Operation::open), ::testing::Values(1u, 4u)));

/// Reading of links hangs; who comes back writes what he read.
struct HangingLinks : FaultyCalls {
  long readlinkat_once(int directory, const char* name, std::span<char> text) const override {
    const std::string_view link = name;
    if (link.ends_with("hangs")) {
      hung = true;
      released.wait();
      const long length = FaultyCalls::readlinkat_once(directory, name, text);
      back = true;
      return length;
    }
    const long length = FaultyCalls::readlinkat_once(directory, name, text);
    if (link == "meets") {
      released.count_down();
      while (!back) std::this_thread::yield();
    }
    return length;
  }
  mutable std::latch released{1};
  mutable std::atomic<bool> hung{false}, back{false};
};

ScanOptions asking_for_targets() {
  ScanOptions options = impatient(1);
  options.attributes.columns = "target,size";
  return options;
}

TEST(HangingLink, ThatComesBackWritesIntoNobodysRow) {
  const ScratchDirectory tree;
  for (const char* directory : {"one", "two"}) tree.make_directory(directory);
  tree.make_link("text of the one that hung", "one/hangs");
  tree.make_link("its own text", "two/meets");
  static auto& calls = *new HangingLinks;  // never deleted, as above
  CollectingSink sink;
  const auto plan = resolve_plan(asking_for_targets(), {tree / "one", tree / "two"}, calls);
  ASSERT_TRUE(plan);
  Scanner scanner(*plan, sink, calls);
  ASSERT_TRUE(scanner.start());
  const ScanStats stats = scanner.wait();
  ASSERT_EQ(stats.hung.size(), 1u);
  EXPECT_TRUE(calls.back);
  const auto rows = sink.by_path();
  ASSERT_EQ(rows.count(tree / "two/meets"), 1u);
  EXPECT_EQ(rows.find(tree / "two/meets")->second.target, "its own text");
}

TEST(HangingLink, ThatIsARootIsGivenUpToo) {
  const ScratchDirectory tree;
  tree.make_link("nowhere", "hangs");
  static auto& calls = *new HangingLinks;
  CollectingSink sink;
  const auto plan = resolve_plan(asking_for_targets(), {tree / "hangs"}, calls);
  ASSERT_TRUE(plan);
  Scanner scanner(*plan, sink, calls);
  ASSERT_TRUE(scanner.start());
  eventually([&] { return !scanner.stats().hung.empty(); });
  EXPECT_EQ(scanner.stats().hung.size(), 1u);
  calls.released.count_down();
  scanner.wait();
  ASSERT_THAT(sink.rows, ::testing::SizeIs(1));
  EXPECT_EQ(sink.rows[0].entry.error, std::uint32_t(ETIMEDOUT));
}

/// An idle thread that hangs while it helps with a large directory takes names along.
TEST(HangInALargeDirectory, LeavesItsRecordIncomplete) {
  const ScratchDirectory tree;
  for (int i = 0; i < 3000; ++i) tree.make_file("file with a longish name " + std::to_string(i));
  struct SplitCalls : FaultyCalls {
    std::latch released{1};
    std::atomic<bool> hung{false};
    std::atomic<std::thread::id> lister;
  };
  bool told = false;
  for (int round = 0; round < 20 && !told; ++round) {  // a busy machine may wake the helper late
    static auto& kept = *new std::vector<SplitCalls*>;
    auto& calls = *kept.emplace_back(new SplitCalls);
    calls.listing = [&calls](int directory, std::span<std::byte> buffer) {
      calls.lister = std::this_thread::get_id();
      return calls.list(directory, buffer);
    };
    calls.before_statx = [&calls](int, const char* name) {
      if (name[0] != 'f' || calls.lister == std::this_thread::get_id() || calls.hung.exchange(true)) return;
      calls.released.wait();
    };
    CollectingSink sink;
    const auto plan = resolve_plan(impatient(2), {tree.path()}, calls);
    ASSERT_TRUE(plan);
    Scanner scanner(*plan, sink, calls);
    ASSERT_TRUE(scanner.start());
    const ScanStats stats = scanner.wait();
    calls.released.count_down();
    told = calls.hung;
    if (!told) continue;
    EXPECT_EQ(stats.hung.size(), 1u);
    ASSERT_EQ(sink.records[tree.path()].size(), 1u);
    const schema::DirectoryRecord& record = sink.records[tree.path()][0];
    EXPECT_EQ(record.error, std::uint32_t(ETIMEDOUT));
    EXPECT_LT(record.entries, 3000u);
    EXPECT_EQ(record.flags, 0u) << "names are missing";
  }
  EXPECT_TRUE(told);
}

TEST(HangTimeout, OfZeroIsNever) {
  const ScratchDirectory tree;
  build(tree);
  HangingCalls calls(Operation::statx);
  ScanOptions options = impatient(2);
  options.etiquette.hang_timeout = Seconds{0};
  CollectingSink sink;
  const auto plan = resolve_plan(options, {tree.path()}, calls);
  ASSERT_TRUE(plan);
  Scanner scanner(*plan, sink, calls);
  ASSERT_TRUE(scanner.start());
  while (calls.hung != 1) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_TRUE(scanner.stats().hung.empty());
  calls.released.count_down();
  EXPECT_TRUE(scanner.wait().complete);
}

TEST(LongCall, DoesNotKeepRowsBack) {
  const ScratchDirectory tree;
  build(tree);
  HangingCalls calls(Operation::statx);
  ScanOptions options = plain_options(1);
  CollectingSink sink;
  const auto plan = resolve_plan(options, {tree / "here"}, calls);
  ASSERT_TRUE(plan);
  Scanner scanner(*plan, sink, calls);
  ASSERT_TRUE(scanner.start());
  while (calls.hung != 1) std::this_thread::yield();
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (scanner.stats().batches == 0 && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  EXPECT_GE(scanner.stats().batches, 1u) << "at least the root's row was there";
  calls.released.count_down();
  EXPECT_TRUE(scanner.wait().complete);
  EXPECT_EQ(sink.row_count, 5u);
}

/// Either the thread or the watchdog goes on, never both and never neither.
TEST(CallGuard, GivesTheWorkToExactlyOne) {
  for (int round = 0; round < 300; ++round) {
    CallGuard guard;
    int shared = 0;  // ThreadSanitizer sees it if both have it
    bool mine = true;
    std::thread worker([&] {
      for (int call = 0; call < 2000 && mine; ++call) {
        guard.enter();
        mine = !guard.leave();
        if (mine) ++shared;
      }
    });
    bool taken = false;
    for (int attempt = 0; attempt < 20 && !taken; ++attempt) {
      const std::uint64_t word = guard.word();
      if (word % 2 == 1) guard.borrow(word, [&] { ++shared; });
      if (word % 2 == 1) taken = guard.give_up(word, [&] { ++shared; });
    }
    worker.join();
    EXPECT_EQ(mine, !taken);
  }
}

}  // namespace
}  // namespace pwalk::testing
