/// Whole walks over file systems whose clients say, as Lustre's and BeeGFS's do, which metadata server has a directory.
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>

#include "metadata_server.h"
#include "stripe_layout.h"
#include "support/tree_builder.h"
#include "sys/calls.h"
#include "walk_once.h"

namespace pwalk::testing {
namespace {

using ::testing::HasSubstr;

ScanOptions on(Profile profile, unsigned threads) {
  ScanOptions options = plain_options(threads);
  options.kernel.profile = profile;
  return options;
}

std::string decision(const ScanPlan& plan) {
  for (const Decision& each : plan.decisions)
    if (each.subject == "metadata servers") return each.choice + " (" + each.reason + ")";
  return "none";
}

/// Directory number n is on server n % servers; answers as the clients' headers say.
struct NumberedServers : sys::Calls {
  std::uint32_t servers = 3;
  int error = 0;
  mutable std::atomic<unsigned> asked{0};

 protected:
  int ioctl_once(int fd, unsigned long request, void* answer) const override {
    ++asked;
    struct ::stat here {};
    if (error != 0 || ::fstat(fd, &here) < 0) return -error;
    const auto server = std::uint32_t(here.st_ino % servers);
    if (request == kLustreGetMdtIndex) return *static_cast<int*>(answer) = int(server), 0;
    if (request == kBeegfsGetEntryInfo) return static_cast<BeegfsEntryInfo*>(answer)->owner = server, 0;
    return -ENOTTY;
  }
};

class MetadataQueues : public ::testing::TestWithParam<Profile> {
 protected:
  /// Walks; the rows must be find's.
  ScanStats walk(const sys::Calls& calls, const ScanOptions& options) {
    CollectingSink sink;
    const ScanStats stats = walk_once(options, {tree_.path()}, sink, calls, [this](ScanPlan& plan) { plan_ = plan; });
    std::vector<std::string> found, expected;
    for (const Row& row : sink.rows) found.push_back(row.path() + " " + std::to_string(row.entry.inode));
    for (const auto& [path, entry] : run_find(tree_.path())) expected.push_back(path + " " + std::to_string(entry.inode));
    EXPECT_EQ(difference(found, expected), "");
    EXPECT_TRUE(stats.complete);
    EXPECT_EQ(stats.counts.errors, 0u);
    return stats;
  }

  const ::testing::ScopedTrace trace_{__FILE__, __LINE__, "PWALK_TEST_SEED=" + std::to_string(test_seed())};
  ScratchDirectory tree_;
  ScanPlan plan_;
};

TEST_P(MetadataQueues, GiveTheSameRowsAndAskOncePerDirectory) {
  build_hostile_tree(tree_.path(), test_seed());
  for (const unsigned threads : {1u, 2u, 8u})
    for (const std::uint32_t servers : {1u, 2u, 3u, 1000u}) {
      NumberedServers calls;
      calls.servers = servers;
      const ScanStats stats = walk(calls, on(GetParam(), threads));
      EXPECT_GE(calls.asked, stats.counts.directories + 1) << "and for the plan";
      EXPECT_THAT(decision(plan_), HasSubstr("directories wait by server"));
      if (HasFailure()) return;
    }
}

TEST_P(MetadataQueues, AreDoneWithoutWhereTheServerIsNotTold) {
  build_hostile_tree(tree_.path(), test_seed());
  NumberedServers calls;
  calls.error = ENOTTY;
  walk(calls, on(GetParam(), 4));
  EXPECT_EQ(calls.asked, 1u) << "and nobody asks again";
  EXPECT_THAT(decision(plan_), HasSubstr("directories wait by thread (" + tree_.path() + " does not tell"));
}

TEST_P(MetadataQueues, CanBeSwitchedOff) {
  build_hostile_tree(tree_.path(), test_seed());
  NumberedServers calls;
  ScanOptions options = on(GetParam(), 4);
  options.threads.metadata_queues = false;
  walk(calls, options);
  EXPECT_EQ(calls.asked, 0u);
  EXPECT_THAT(decision(plan_), HasSubstr("--no-metadata-queues"));
}

INSTANTIATE_TEST_SUITE_P(All, MetadataQueues, ::testing::Values(Profile::lustre, Profile::beegfs));

TEST(MetadataServer, IsAskedOfNoOtherKindOfFileSystem) {
  const ScratchDirectory tree;
  for (const Profile profile : {Profile::local, Profile::nfs, Profile::weka, Profile::gpfs, Profile::cephfs, Profile::smb, Profile::fuse}) {
    NumberedServers calls;
    CollectingSink sink;
    walk_once(on(profile, 2), {tree.path()}, sink, calls);
    EXPECT_EQ(calls.asked, 0u);
    EXPECT_FALSE(has_metadata_servers(profile));
  }
}

TEST(MetadataServer, ThatIsNoNumberIsNone) {
  struct : sys::Calls {
    int ioctl_once(int, unsigned long, void* answer) const override { return *static_cast<int*>(answer) = -5, 0; }
  } calls;
  EXPECT_FALSE(metadata_server_of(calls, 3, Profile::lustre));
}

/// Two servers: one has what lies below `second`, the other everything else. A call takes a while, and for each it is
/// noted how many threads are with either server, as long as both have names that were not asked for.
struct TwoServers : sys::Calls {
  explicit TwoServers(const ScratchDirectory& tree) {
    for (const auto& [path, entry] : run_find(tree.path())) {
      const unsigned server = path.find("/second") != path.npos;
      if (entry.type == 'd') server_of_[entry.inode] = server;
      else ++left_[server];
    }
  }
  /// Threads at the second server as a share of all.
  double share() const { return double(seen_[1]) / double(seen_[0] + seen_[1]); }

 protected:
  unsigned server_at(int directory) const {
    struct ::stat here {};
    const auto found = ::fstat(directory, &here) == 0 ? server_of_.find(here.st_ino) : server_of_.end();
    return found == server_of_.end() ? 0 : found->second;
  }
  int ioctl_once(int fd, unsigned long, void* answer) const override { return *static_cast<int*>(answer) = int(server_at(fd)), 0; }
  int statx_once(int directory, const char* name, int flags, unsigned mask, struct ::statx& out) const override {
    if (*name != 'x') return Calls::statx_once(directory, name, flags, mask, out);
    const unsigned server = server_at(directory);
    {
      const std::lock_guard lock(mutex_);
      ++now_[server];
      --left_[server];
      if (left_[0] > 0 && left_[1] > 0) seen_[0] += now_[0], seen_[1] += now_[1];
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500));
    const std::lock_guard lock(mutex_);
    --now_[server];
    return Calls::statx_once(directory, name, flags, mask, out);
  }

 private:
  std::map<std::uint64_t, unsigned> server_of_;
  mutable std::mutex mutex_;
  mutable std::array<int, 2> left_{}, now_{};
  mutable std::array<std::uint64_t, 2> seen_{};
};

// All threads but one would be with the first server, whose directories are the oldest to be stolen.
TEST(MetadataQueuesSpread, ThreadsOverBothServers) {
  const ScratchDirectory tree;
  const auto make = [&](const std::string& directory) {
    tree.make_directory(directory);
    for (int file = 0; file < 4; ++file) tree.make_file(directory + "/x" + std::to_string(file));
  };
  tree.make_directory("second");
  for (int i = 0; i < 150; ++i) make("first" + std::to_string(i)), make("second/" + std::to_string(i));
  CollectingSink sink;
  TwoServers calls(tree);
  walk_once(on(Profile::lustre, 8), {tree.path()}, sink, calls);
  EXPECT_GT(calls.share(), 0.3);
  EXPECT_LT(calls.share(), 0.7);
}

}  // namespace
}  // namespace pwalk::testing
