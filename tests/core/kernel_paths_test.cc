// Which system calls a walk uses, what it does when they are refused, and what it says about it.
#include <fcntl.h>

#include <thread>

#include "backend_choice.h"
#include "support/faulty_calls.h"
#include "support/tree_builder.h"
#include "walk_once.h"

namespace pwalk::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Remembers the flags of every open, and refuses some.
class OpenFlags : public FaultyCalls {
 public:
  int refused_flag = 0, refusal = 0;
  Result<void> uring{};

  unsigned opens_with(int flag) const {
    const std::lock_guard lock(mutex_);
    return unsigned(std::count_if(flags_.begin(), flags_.end(), [&](int flags) { return (flags & flag) == flag; }));
  }
  Result<void> try_uring() const override { return uring ? FaultyCalls::try_uring() : uring; }

 protected:
  int open_once(const char* path, int flags) const override {
    if (const int error = note(flags)) return -error;
    return FaultyCalls::open_once(path, flags);
  }
  int openat_once(int directory, const char* name, int flags) const override {
    if (const int error = note(flags)) return -error;
    return FaultyCalls::openat_once(directory, name, flags);
  }

 private:
  int note(int flags) const {
    const std::lock_guard lock(mutex_);
    flags_.push_back(flags);
    return refused_flag != 0 && (flags & refused_flag) == refused_flag ? refusal : 0;
  }
  mutable std::mutex mutex_;
  mutable std::vector<int> flags_;
};

class KernelPathsTest : public ::testing::Test {
 protected:
  KernelPathsTest() {
    build_hostile_tree(tree_.path(), test_seed());
    tree_.make_directory("beside what chance made");
  }

  /// Walks; the rows must be find's.
  ScanStats walk() {
    CollectingSink sink;
    const ScanStats stats = walk_once(options_, {tree_.path()}, sink, calls_, [this](ScanPlan& plan) { plan_ = plan; });
    std::vector<std::string> found, expected;
    for (const Row& row : sink.rows) found.push_back(row.path() + " " + std::to_string(row.entry.inode) + " " + row.entry.type);
    for (const auto& [path, entry] : run_find(tree_.path()))
      expected.push_back(path + " " + std::to_string(entry.inode) + " " + entry.type);
    EXPECT_EQ(difference(found, expected), "");
    EXPECT_TRUE(stats.complete);
    EXPECT_EQ(stats.counts.errors, 0u);
    EXPECT_EQ(calls_.open_now(), 0);
    return stats;
  }
  std::string decision(const std::string& subject) const {
    for (const Decision& decision : plan_.decisions)
      if (decision.subject == subject) return decision.choice + " (" + decision.reason + ")";
    return "none";
  }

  const ::testing::ScopedTrace trace_{__FILE__, __LINE__, "PWALK_TEST_SEED=" + std::to_string(test_seed())};
  ScratchDirectory tree_;
  OpenFlags calls_;
  ScanOptions options_ = plain_options(2);
  ScanPlan plan_;
};

TEST_F(KernelPathsTest, DirectoriesAreOpenedWithoutChangingTheirAccessTimes) {
  walk();
  EXPECT_GT(calls_.opens_with(O_NOATIME), 1u);
  EXPECT_EQ(calls_.opens_with(O_NOATIME), calls_.opens_with(0));
  EXPECT_THAT(decision("access times"), HasSubstr("O_NOATIME"));
}

TEST_F(KernelPathsTest, WhereThatIsRefusedItIsNotAskedAgain) {
  calls_.refused_flag = O_NOATIME, calls_.refusal = EPERM;
  walk();
  EXPECT_GE(calls_.opens_with(O_NOATIME), 1u);
  EXPECT_LE(calls_.opens_with(O_NOATIME), 2u) << "once per thread at most";
}

TEST_F(KernelPathsTest, AndNotAtAllWhereItIsSwitchedOff) {
  options_.kernel.use_noatime = false;
  walk();
  EXPECT_EQ(calls_.opens_with(O_NOATIME), 0u);
}

TEST_F(KernelPathsTest, DirectIoIsTriedOnceReportedAndAttributesAreForced) {
  calls_.refused_flag = O_DIRECT, calls_.refusal = EINVAL;
  options_.kernel.use_o_direct = true;
  walk();
  EXPECT_EQ(calls_.opens_with(O_DIRECT | O_DIRECTORY), 1u);
  EXPECT_THAT(decision("direct I/O"), HasSubstr("refused: Invalid argument"));
  EXPECT_EQ(plan_.roots[0].coherence, Coherence::force);
}

TEST_F(KernelPathsTest, DirectIoThatEndsBelowTheRootIsDoneWithout) {
  options_.kernel.use_o_direct = true;
  CollectingSink sink;
  calls_.refused_flag = O_DIRECT, calls_.refusal = EINVAL;
  const ScanStats stats = walk_once(options_, {tree_.path()}, sink, calls_, [](ScanPlan& plan) { plan.roots[0].direct = true; });
  EXPECT_TRUE(stats.complete);
  EXPECT_EQ(stats.counts.errors, 0u);
}

TEST_F(KernelPathsTest, ARingGivesTheSameRows) {
  options_.kernel.use_io_uring = UringUse::on;
  const auto had = calls_.try_uring();
  const ScanStats stats = walk();
  EXPECT_STREQ(stats.backend, had ? "io_uring" : "statx");
  EXPECT_THAT(plan_.notices, SizeIs(had ? 0 : 1));
}

TEST_F(KernelPathsTest, ARingWithFiltersAndLinksToFollow) {
  options_.kernel.use_io_uring = UringUse::on;
  options_.traversal.exclude = {"*1*"};
  options_.traversal.follow_links = true;
  CollectingSink by_ring, by_threads;
  walk_once(options_, {tree_.path()}, by_ring, calls_);
  options_.kernel.use_io_uring = UringUse::off;
  walk_once(options_, {tree_.path()}, by_threads, calls_);
  const auto lines = [](const CollectingSink& sink) {
    std::vector<std::string> all;
    for (const Row& row : sink.rows)
      all.push_back(row.path() + " " + std::to_string(row.entry.inode) + " " + std::to_string(row.entry.error) + row.entry.type);
    return all;
  };
  EXPECT_EQ(difference(lines(by_ring), lines(by_threads)), "");
}

TEST_F(KernelPathsTest, WhereIoUringIsForbiddenThreadsAskAndOneLineSaysSo) {
  options_.kernel.use_io_uring = UringUse::on;
  for (const auto& [error, why] : {std::pair{EPERM, "a sandbox"}, std::pair{ENOMEM, "RLIMIT_MEMLOCK"}}) {
    calls_.uring = fail(error, std::string("io_uring cannot be had (") + why + ")");
    const ScanStats stats = walk();
    EXPECT_STREQ(stats.backend, "statx");
    ASSERT_THAT(plan_.notices, SizeIs(1));
    EXPECT_THAT(plan_.notices[0], HasSubstr(why));
    EXPECT_THAT(decision("backend"), HasSubstr("threads (io_uring cannot be had"));
  }
}

TEST_F(KernelPathsTest, WhereStatxIsRefusedFstatatAsksAndOneLineSaysSo) {
  for (const int error : {ENOSYS, EPERM}) {
    calls_.fail_at(FaultyCall::statx, 1, error, 1u << 30);
    EXPECT_STREQ(walk().backend, "fstatat");
    ASSERT_THAT(plan_.notices, SizeIs(1));
    EXPECT_THAT(plan_.notices[0], HasSubstr("refuses statx"));
    EXPECT_THAT(decision("attributes"), HasSubstr("refuses statx"));
  }
  options_.attributes.no_stat = true;
  const auto names_only = resolve_plan(options_, {tree_.path()}, calls_);
  ASSERT_TRUE(names_only);
  EXPECT_THAT(names_only->notices, IsEmpty()) << "no column is lost";
}

TEST_F(KernelPathsTest, WithoutGetdents64ReaddirReadsAndOneLineSaysSo) {
  calls_.has_getdents = false;
  walk();
  ASSERT_THAT(plan_.notices, SizeIs(1));
  EXPECT_THAT(plan_.notices[0], HasSubstr("refuses getdents64"));
  EXPECT_THAT(decision("directories"), HasSubstr("readdir with"));
  options_.kernel.use_getdents = false;
  walk();
  EXPECT_THAT(plan_.notices, IsEmpty()) << "nothing is missed that nobody wanted";
}

TEST_F(KernelPathsTest, WhereAffinityIsRefusedThreadsRunFreelyAndOneLineSaysSo) {
  struct Refusing : FaultyCalls {
    int keep_on(std::span<const unsigned>) const override { return tells ? -EPERM : 0; }
    std::vector<unsigned> usable_cpu_list() const override { return tells ? FaultyCalls::usable_cpu_list() : std::vector<unsigned>(); }
    bool tells = true;
  } refusing;
  options_.threads.cpu_affinity = true;
  for (const char* call : {"sched_setaffinity", "sched_getaffinity"}) {
    const auto plan = resolve_plan(options_, {tree_.path()}, refusing);
    ASSERT_TRUE(plan);
    EXPECT_TRUE(plan->places.empty());
    ASSERT_THAT(plan->notices, ::testing::SizeIs(1));
    EXPECT_THAT(plan->notices[0], ::testing::HasSubstr("--cpu-affinity: this kernel or sandbox refuses " + std::string(call)));
    EXPECT_NE(plan->explain().find("threads run where the kernel likes"), std::string::npos);
    refusing.tells = false;
  }
  refusing.tells = true;
  options_.threads.cpu_affinity = false;
  EXPECT_TRUE(resolve_plan(options_, {tree_.path()}, refusing)->notices.empty()) << "nobody asked for it";
}

TEST_F(KernelPathsTest, LocallyNoRingIsEvenTried) {
  calls_.uring = fail(EPERM, "must not be asked");
  walk();
  EXPECT_THAT(plan_.notices, IsEmpty());
  EXPECT_THAT(decision("backend"), HasSubstr("threads"));
  options_.kernel.use_statx = false;
  EXPECT_STREQ(walk().backend, "fstatat");
}

// A call of the threads takes long here, one of the ring does not: it cannot be slowed through the table.
TEST_F(KernelPathsTest, ATrialDecides) {
  if (!calls_.try_uring()) GTEST_SKIP() << "io_uring cannot be had";
  for (int i = 0; i < 300; ++i) tree_.make_file("one of many " + std::to_string(i));
  options_ = plain_options(1);
  options_.kernel.profile = Profile::fuse;
  calls_.before_statx = [](int, const char*) { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
  EXPECT_STREQ(walk().backend, "io_uring");
  EXPECT_THAT(decision("backend"), HasSubstr("trial"));
}

TEST(BackendChoiceTest, TheRingMustBeBetterThanAllThreadsTogether) {
  BackendChoice choice;
  EXPECT_FALSE(choice.uses_ring());
  choice.set(BackendChoice::State::open);
  EXPECT_TRUE(choice.begin_trial());
  EXPECT_FALSE(choice.begin_trial()) << "one worker tries";
  choice.conclude(500'000, 50'000, 1);
  EXPECT_TRUE(choice.uses_ring());
  choice.conclude(500'000, 50'000, 32);
  EXPECT_FALSE(choice.uses_ring());
  choice.conclude(700, 690, 1);
  EXPECT_FALSE(choice.uses_ring());
}

}  // namespace
}  // namespace pwalk::testing
