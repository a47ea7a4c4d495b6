/// What the threads of a walk pass on to whoever decides how many they are: a server in trouble gets fewer calls.
#include <chrono>
#include <latch>
#include <set>
#include <thread>

#include "support/tree_builder.h"
#include "sys/calls.h"
#include "walk_once.h"

namespace pwalk::testing {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kThreads = 16;
constexpr std::string_view kHalved = "halved: errors or stalls";

/// A server that takes a millisecond for each name, fails for some, and hangs for one.
struct TroubledServer : sys::Calls {
  int error = 0;          ///< of names that begin with "bad"
  std::latch released{1};  ///< names that begin with "hangs" wait for it
  mutable std::atomic<unsigned> failed{0}, hanging{0};

 protected:
  int statx_once(int directory, const char* name, int flags, unsigned mask, struct ::statx& out) const override {
    const std::string_view asked = name;
    std::this_thread::sleep_for(1ms);
    if (asked.substr(0, 5) == "hangs") ++hanging, released.wait();
    if (asked.substr(0, 3) == "bad" && error != 0) return ++failed, -error;
    return Calls::statx_once(directory, name, flags, mask, out);
  }
};

/// 40 directories of 50 files; in three of them a name that begins with "bad".
void build(const ScratchDirectory& tree) {
  for (int d = 0; d < 40; ++d) {
    const std::string directory = "d" + std::to_string(d);
    tree.make_directory(directory);
    for (int f = 0; f < 50; ++f) tree.make_file(directory + "/f" + std::to_string(f));
    if (d % 15 == 0) tree.make_file(directory + "/bad");
  }
}

ScanOptions for_a_server() {
  ScanOptions options;
  options.kernel.profile = Profile::fuse;
  options.kernel.use_io_uring = UringUse::off;
  options.threads.max_threads = kThreads;
  return options;
}

/// A walk, and how many threads it was allowed while it ran, and why.
struct Watched {
  unsigned fewest = kThreads;
  std::set<std::string> reasons;
  ScanStats stats;

  void look(const Scanner& scanner) {
    const ScanStats now = scanner.stats();
    if (now.wanted_threads > 0) fewest = std::min(fewest, now.wanted_threads);
    reasons.insert(now.threads_reason);
  }
};

Watched watch(const ScanOptions& options, const ScratchDirectory& tree, const sys::Calls& calls) {
  Watched watched;
  CollectingSink sink;
  const auto plan = resolve_plan(options, {tree.path()}, calls);
  if (!plan) return ADD_FAILURE() << plan.error().message(), watched;
  Scanner scanner(*plan, sink, calls);
  std::atomic<bool> ended{false};
  if (!scanner.start([&] { ended = true; })) return ADD_FAILURE() << "not started", watched;
  while (!ended) {
    watched.look(scanner);
    std::this_thread::sleep_for(1ms);
  }
  watched.stats = scanner.wait();
  EXPECT_TRUE(watched.stats.complete);
  EXPECT_EQ(sink.row_count, watched.stats.counts.entries);
  return watched;
}

/// A tree, and a server in trouble with the errno that is the parameter.
class TroubledWalk : public ::testing::TestWithParam<int> {
 protected:
  TroubledWalk() {
    build(tree_);
    server_.error = GetParam();
  }
  const ScratchDirectory tree_;
  TroubledServer server_;
};

class Distress : public TroubledWalk {};

TEST_P(Distress, HalvesTheThreads) {
  const Watched walk = watch(for_a_server(), tree_, server_);
  EXPECT_EQ(server_.failed, 3u);
  EXPECT_EQ(walk.stats.counts.errors, 3u) << "each is a row as well";
  EXPECT_LE(walk.fewest, kThreads / 2);
  EXPECT_EQ(walk.reasons.count(std::string(kHalved)), 1u) << ::testing::PrintToString(walk.reasons);
}
INSTANTIATE_TEST_SUITE_P(Errors, Distress, ::testing::Values(ETIMEDOUT, EIO, EREMOTEIO));

class NoDistress : public TroubledWalk {};

TEST_P(NoDistress, IsWhatConcernsOneName) {
  EXPECT_EQ(watch(for_a_server(), tree_, server_).reasons.count(std::string(kHalved)), 0u);
}
INSTANTIATE_TEST_SUITE_P(Errors, NoDistress, ::testing::Values(0, EACCES, ENOENT));

TEST(FixedThreads, StayWhatTheyAreWhateverFails) {
  const ScratchDirectory tree;
  build(tree);
  TroubledServer server;
  server.error = EIO;
  ScanOptions options = for_a_server();
  options.threads.auto_tune = false;
  const Watched walk = watch(options, tree, server);
  EXPECT_EQ(walk.stats.counts.errors, 3u);
  EXPECT_EQ(walk.fewest, kThreads);
}

// With the time-out of hanging directories and without: what gives up is something else.
TEST(Stall, HalvesTheThreadsWhileItLasts) {
  struct Stalled {
    explicit Stalled(double hang_timeout) {
      tree.make_file("hangs");
      ScanOptions options = for_a_server();
      options.etiquette.hang_timeout = Seconds{hang_timeout};
      const auto plan = resolve_plan(options, {tree.path()}, server);
      scanner.emplace(plan.value(), sink, server);
      EXPECT_TRUE(scanner->start());
    }
    bool is_halved() const {
      const ScanStats now = scanner->stats();
      return now.threads_reason == kHalved && now.wanted_threads == kThreads / 2;
    }
    ScratchDirectory tree;
    TroubledServer server;
    CollectingSink sink;
    std::optional<Scanner> scanner;
  };
  Stalled timed(120), untimed(0);
  const auto patience = std::chrono::steady_clock::now() + 60s;
  while (!(timed.is_halved() && untimed.is_halved()) && std::chrono::steady_clock::now() < patience) {
    EXPECT_LE(timed.server.hanging, 1u);
    std::this_thread::sleep_for(10ms);
  }
  for (Stalled* each : {&timed, &untimed}) {
    EXPECT_TRUE(each->is_halved()) << each->scanner->stats().threads_reason;
    each->server.released.count_down();
    const ScanStats stats = each->scanner->wait();
    EXPECT_TRUE(stats.complete);
    EXPECT_TRUE(stats.hung.empty());
    EXPECT_EQ(stats.counts.errors, 0u);
  }
}

}  // namespace
}  // namespace pwalk::testing
