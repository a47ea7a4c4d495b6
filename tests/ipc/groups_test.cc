#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "ipc/actor_process.h"
#include "ipc/scan_fixture.h"
#include "pwalk/ipc/consumer.h"

/// Groups through the whole of ipc: members as threads, and as processes that die.
namespace pwalk::ipc {
namespace {

using namespace std::chrono_literals;
using testing::Actor;
using testing::BatchSource;
using testing::RowTally;
using testing::RuntimeDirectory;
using testing::ServedScan;

constexpr std::uint64_t kPool = 16u << 20;

/// Who was done with which batch, by its first row.
class Work {
 public:
  void done(std::uint64_t first_row, bool redelivered) {
    const std::lock_guard lock(mutex_);
    ++times_[first_row];
    if (redelivered) redelivered_.insert(first_row);
  }
  /// What an actor said with tell=1, until it ended.
  void done_by(Actor& actor) {
    while (const auto line = actor.line()) {
      std::istringstream words(*line);
      std::string word;
      std::uint64_t first = 0, rows = 0;
      int redelivered = 0;
      if (words >> word >> first >> rows >> redelivered && word == "batch") done(first, redelivered != 0);
    }
  }
  /// All of `batches` batches of `rows` rows: once, or more often and then marked.
  std::string wrong(std::uint64_t batches, std::uint64_t rows) const {
    for (std::uint64_t i = 0; i < batches; ++i) {
      const auto found = times_.find(i * rows);
      if (found == times_.end()) return fmt::format("batch {} was not done", i);
      if (found->second > 1 && !redelivered_.contains(i * rows))
        return fmt::format("batch {} was done {} times, and never marked", i, found->second);
    }
    return times_.size() == batches ? "" : "there are batches that nobody made";
  }
  std::size_t redelivered() const { return redelivered_.size(); }

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, unsigned> times_;
  std::set<std::uint64_t> redelivered_;
};

class GroupsTest : public ::testing::Test {
 protected:
  RuntimeDirectory runtime_;

  static Consumer member(const std::string& group = "loaders") {
    auto consumer = Consumer::attach({.scan = "home", .timeout = 10s, .group = group});
    if (!consumer) throw std::runtime_error(consumer.error().message());
    return *std::move(consumer);
  }
  static std::uint64_t first_row(const BatchLease& lease) {
    return lease.view().column(schema::Column::inode).at<std::uint64_t>(0);
  }
  static void read(Consumer& consumer, Work& work) {
    while (consumer.end() == StreamEnd::running) {
      const auto lease = consumer.next(30s);
      ASSERT_TRUE(lease) << lease.error().message();
      if (*lease) work.done(first_row(**lease), (*lease)->redelivered());
    }
    EXPECT_EQ(consumer.end(), StreamEnd::complete);
  }
};

TEST_F(GroupsTest, MembersShareTheStreamAndOthersHaveItWhole) {
  ServedScan scan("home", 2u << 20);
  std::vector<Consumer> members;
  for (int i = 0; i < 3; ++i) members.push_back(member());
  Consumer other = member("others");
  auto broadcast = Consumer::attach({.scan = "home"});
  ASSERT_TRUE(broadcast);
  Work shared, alone, whole;
  std::vector<std::thread> threads;
  for (Consumer& one : members) threads.emplace_back([&] { read(one, shared); });
  threads.emplace_back([&] { read(other, alone); });
  threads.emplace_back([&] { read(*broadcast, whole); });
  BatchSource source;
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(scan->publish(unsigned(i), source.make(500)));
  scan->finish(true);
  for (std::thread& thread : threads) thread.join();
  for (const Work* work : {&shared, &alone, &whole}) EXPECT_EQ(work->wrong(300, 500), "");
  EXPECT_EQ(shared.redelivered() + alone.redelivered(), 0u);
  ASSERT_TRUE(testing::eventually([&] { return scan->attendance().all_finished; }));
  const auto groups = scan->groups();
  ASSERT_EQ(groups.size(), 2u);
  for (const GroupStatus& group : groups) EXPECT_EQ(group.poisoned_batches + group.redeliveries, 0u);
}

TEST_F(GroupsTest, LateMembersShareWhatIsLeftAndSeeTheEnd) {
  ServedScan scan("home");
  BatchSource source;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(scan->publish(0, source.make(100)));
  Consumer early = member();
  Work work;
  for (int i = 0; i < 10; ++i) work.done(first_row(**early.next(5s)), false);
  scan->finish(true);
  Consumer late = member();
  std::thread reader([&] { read(late, work); });
  read(early, work);
  reader.join();
  EXPECT_EQ(work.wrong(20, 100), "");
  EXPECT_EQ(late.stats().batches + early.stats().batches, 20u);
  Consumer last = member();
  read(last, work);
  EXPECT_EQ(last.stats().batches, 0u);
}

/// As every `for batch in consumer` of Python does.
TEST_F(GroupsTest, MembersThatKeepTheirLastBatchWhileTheyAskForMoreSeeTheEnd) {
  ServedScan scan("home", kPool);
  BatchSource source;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(scan->publish(0, source.make(100)));
  scan->finish(true);
  Consumer one = member(), two = member();
  Work work;
  const auto read_holding = [&](Consumer& consumer) {
    BatchLease held;
    for (auto lease = consumer.next(30s); lease && *lease; lease = consumer.next(30s)) {
      held = **lease;
      work.done(first_row(held), held.redelivered());
    }
    EXPECT_EQ(consumer.end(), StreamEnd::complete);
  };
  std::thread other([&] { read_holding(two); });
  read_holding(one);
  other.join();
  EXPECT_EQ(work.wrong(10, 100), "");
  EXPECT_EQ(work.redelivered(), 0u);
}

TEST_F(GroupsTest, WhatIsHeldAtTheEndIsNotLostWhenItsHoldersDie) {
  Actor scanner({"produce", "home", fmt::format("pool={}", kPool), "consumers=4", "batches=40", "rows=500", "group_linger_ms=300"});
  std::vector<std::unique_ptr<Actor>> members;
  for (int i = 0; i < 4; ++i)
    members.push_back(std::make_unique<Actor>(
        std::vector<std::string>{"consume", "home", "group=loaders", "hold=1", "tell=1", "die_at_end=1"}));
  Work work;
  for (auto& member : members) work.done_by(*member);
  EXPECT_EQ(work.wrong(40, 500), "");
  EXPECT_EQ(scanner.wait(), 0) << "the last one's last batch has nobody to go to, and the group is dissolved";
}

/// As one with threads that work while another asks for more.
TEST_F(GroupsTest, WhoKeepsBatchesAndAsksForMoreIsNotDoneWithThem) {
  Actor scanner({"produce", "home", fmt::format("pool={}", kPool), "consumers=2", "batches=60", "rows=500"});
  Actor keeps({"consume", "home", "group=loaders", "hold=1000", "die_at_end=1"});
  Actor survivor({"consume", "home", "group=loaders", "tell=1"});
  Work work;
  work.done_by(survivor);
  EXPECT_EQ(keeps.wait(), 128 + SIGKILL);
  EXPECT_EQ(work.wrong(60, 500), "") << "the one that died has dropped nothing";
  EXPECT_EQ(scanner.wait(), 0);
}

TEST_F(GroupsTest, WhatAMemberKeepsBeyondAnyShareOfASmallPoolIsNotLostWithIt) {
  Actor scanner({"produce", "home", "pool=2097152", "consumers=2", "batches=150", "rows=4000"});
  Actor keeps({"consume", "home", "group=loaders", "stop_after=5", "hold=1000"});
  Actor survivor({"consume", "home", "group=loaders", "tell=1"});
  EXPECT_EQ(keeps.await("stopped"), "stopped");
  keeps.signal(SIGKILL);
  Work work;
  work.done_by(survivor);
  EXPECT_EQ(work.wrong(150, 4000), "") << "the one that died has dropped nothing";
  EXPECT_EQ(work.redelivered(), 5u);
  EXPECT_EQ(scanner.wait(), 0);
}

TEST_F(GroupsTest, TheOthersSeeTheEndOnlyWhenAThreadHasDroppedWhatItHad) {
  ServedScan scan("home", kPool);
  BatchSource source;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(scan->publish(0, source.make(100)));
  scan->finish(true);
  Consumer threaded = member(), other = member();
  std::vector<BatchLease> at_work;
  for (int i = 0; i < 9; ++i) at_work.push_back(**threaded.next(5s));
  ASSERT_TRUE(*other.next(5s));
  std::atomic<bool> dropped{false}, ended{false};
  std::thread waits([&] {
    EXPECT_FALSE(*other.next(30s));
    EXPECT_TRUE(dropped) << "it could have died with them";
    EXPECT_EQ(other.end(), StreamEnd::complete);
    ended = true;
  });
  EXPECT_FALSE(*threaded.next(30s)) << "nothing will come to it, whatever its threads do";
  EXPECT_EQ(threaded.end(), StreamEnd::complete);
  EXPECT_FALSE(ended);
  EXPECT_EQ(scan->groups().at(0).redeliveries, 0u);
  dropped = true;
  at_work.clear();
  waits.join();
  EXPECT_EQ(scan->groups().at(0).done_batches, 10u);
}

TEST_F(GroupsTest, WhoKeepsAFullPoolAndAsksForMoreIsTold) {
  Actor scanner({"produce", "home", "pool=2097152", "lease_ms=300", "consumers=1", "batches=150", "rows=4000"});
  Consumer hoarder = member();
  std::vector<BatchLease> kept;
  auto lease = hoarder.next(30s);
  Work work;
  for (; lease && *lease; lease = hoarder.next(30s)) {
    work.done(first_row(**lease), (*lease)->redelivered());
    kept.push_back(**lease);
  }
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, EDEADLK);
  EXPECT_NE(lease.error().what.find("--ring-size"), std::string::npos) << lease.error().what;
  EXPECT_GE(kept.size(), 6u);
  kept.clear();
  read(hoarder, work);
  EXPECT_EQ(work.wrong(150, 4000), "");
  EXPECT_EQ(work.redelivered(), 0u);
  EXPECT_EQ(scanner.wait(), 0);
}

/// A scan that is served only when a test says so.
class HandServedScan {
 public:
  HandServedScan() {
    auto session = ScanSession::create({.name = "home", .roots = {"/numbered"}, .pool_bytes = 2u << 20, .huge_pages = HugePages::off,
                                        .group_lease = 200ms, .lanes = 1});
    if (!session) throw std::runtime_error(session.error().message());
    session_.emplace(*std::move(session));
  }
  HandServedScan(const HandServedScan&) = delete;
  HandServedScan& operator=(const HandServedScan&) = delete;
  ~HandServedScan() {
    session_->stop();
    if (publisher_.joinable()) publisher_.join();
  }
  /// A member of its group, in whose waits the scan is served too when it has woken for a moment.
  Consumer attach() {
    std::atomic<bool> attached{false};
    std::thread server([&] {
      while (!attached) session_->serve(5ms);
    });
    auto member = Consumer::attach({.scan = "home", .timeout = 10s, .group = "loaders", .interrupted = [this] {
                                      if (publisher_.joinable()) look();
                                      return false;
                                    }});
    attached = true;
    server.join();
    if (!member) throw std::runtime_error(member.error().message());
    return *std::move(member);
  }
  void publish_without_end() {
    publisher_ = std::thread([this] {
      for (BatchSource source; session_->publish(0, source.make(4000));) {
      }
    });
  }
  void look() { session_->serve(0ms); }

 private:
  std::optional<ScanSession> session_;
  std::thread publisher_;
};

/// The scanner looks only when the member has just woken for a moment, as on a busy machine it may do each time.
TEST_F(GroupsTest, WhoLooksUpFromItsSleepStillAsksForMore) {
  HandServedScan scan;
  Consumer hoarder = scan.attach();
  scan.publish_without_end();
  std::vector<BatchLease> kept;
  auto lease = hoarder.next(10s);
  for (; lease && *lease; lease = hoarder.next(10s)) kept.push_back(**lease);
  ASSERT_FALSE(lease) << "nothing came for 10 s";
  EXPECT_EQ(lease.error().code, EDEADLK);
}

/// Every second look finds it between two of its waits.
TEST_F(GroupsTest, WhoAsksAgainAndAgainStillAsksForMore) {
  HandServedScan scan;
  Consumer hoarder = scan.attach();
  scan.publish_without_end();
  std::vector<BatchLease> kept;
  int waits_in_vain = 0;
  auto lease = hoarder.next(60ms);
  for (; lease && waits_in_vain < 60; lease = hoarder.next(60ms)) {
    if (*lease) kept.push_back(**lease);
    else ++waits_in_vain;
    std::this_thread::sleep_for(25ms);
    scan.look();
  }
  ASSERT_FALSE(lease) << "nothing came in " << waits_in_vain << " waits";
  EXPECT_EQ(lease.error().code, EDEADLK);
}

TEST_F(GroupsTest, WhatADeadMemberHadGoesToAnotherAndIsMarked) {
  Actor scanner({"produce", "home", fmt::format("pool={}", kPool), "consumers=3", "batches=300", "rows=500"});
  Actor stuck({"consume", "home", "group=loaders", "stop_after=2", "hold=3", "tell=0"});
  Actor survivor({"consume", "home", "group=loaders", "tell=1"});
  Actor broadcast({"consume", "home"});
  EXPECT_EQ(stuck.await("stopped"), "stopped");
  stuck.signal(SIGKILL);
  Work work;
  work.done_by(survivor);
  EXPECT_EQ(work.wrong(300, 500), "");
  EXPECT_EQ(work.redelivered(), 2u);
  EXPECT_EQ(broadcast.await("end="), "end=complete rows=150000 batches=300 verdict=good");
  EXPECT_EQ(scanner.wait(), 0);
}

TEST_F(GroupsTest, AStoppedMembersLeaseExpiresAndItsViewStaysAsItWas) {
  Actor scanner({"produce", "home", "pool=4194304", "lease_ms=300", "consumers=2", "batches=300", "rows=500", "linger=1"});
  auto slow = member();
  Actor brisk({"consume", "home", "group=loaders", "tell=1"});
  auto lease = slow.next(10s);
  ASSERT_TRUE(lease && *lease);
  const auto first = first_row(**lease);
  const std::vector<std::byte> before((*lease)->view().bytes().begin(), (*lease)->view().bytes().end());
  Work work;
  work.done_by(brisk);
  EXPECT_EQ(work.wrong(300, 500), "") << "the one kept here was done by the other";
  EXPECT_EQ(work.redelivered(), 1u);
  const auto now = (*lease)->view().bytes();
  EXPECT_TRUE(std::equal(before.begin(), before.end(), now.begin(), now.end()));
  EXPECT_EQ(first_row(**lease), first);
  lease->reset();
  EXPECT_FALSE(*slow.next(10s));
  EXPECT_EQ(slow.end(), StreamEnd::complete);
}

SessionOptions with_rules(std::chrono::milliseconds lease, std::chrono::milliseconds linger) {
  return {.name = "home", .pool_bytes = kPool, .huge_pages = HugePages::off, .group_lease = lease, .group_linger = linger};
}

/// A member that reads faster than the scan goes is nearly always in next() when it is stopped.
TEST_F(GroupsTest, TheLeaseOfAMemberThatIsStoppedWhileItAsksForMoreExpires) {
  ServedScan scan(with_rules(200ms, 10s));
  BatchSource source;
  ASSERT_TRUE(scan->publish(0, source.make(100)));
  Actor stopped({"consume", "home", "group=loaders", "hold=1", "tell=1"});
  EXPECT_EQ(stopped.await("batch"), "batch 0 100 0");
  std::this_thread::sleep_for(100ms);
  stopped.signal(SIGSTOP);
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(scan->publish(0, source.make(100)));
  scan->finish(true);
  Consumer other = member();
  Work work;
  for (auto lease = other.next(10s); lease && *lease; lease = other.next(10s))
    work.done(first_row(**lease), (*lease)->redelivered());
  stopped.signal(SIGKILL);
  EXPECT_EQ(other.end(), StreamEnd::complete);
  EXPECT_EQ(work.wrong(10, 100), "");
  EXPECT_EQ(work.redelivered(), 1u);
}

/// As a script does whose `for batch in consumer` has ended, and which goes on with its `batch`.
TEST_F(GroupsTest, AScanIsNotHeldUpByWhoKeepsItsLastBatchLongerThanItsLease) {
  ServedScan scan(with_rules(200ms, 200ms));
  BatchSource source;
  ASSERT_TRUE(scan->publish(0, source.make(100)));
  scan->finish(true);
  Consumer script = member();
  const auto kept = script.next(10s);
  ASSERT_TRUE(kept && *kept);
  EXPECT_FALSE(*script.next(10s));
  EXPECT_EQ(script.end(), StreamEnd::complete);
  EXPECT_TRUE(testing::eventually([&] { return scan->attendance().all_finished; }));
  EXPECT_TRUE(scan->groups().at(0).dissolved);
  EXPECT_EQ(first_row(**kept), 0u);
}

TEST_F(GroupsTest, ABatchThatKillsEveryMemberIsGivenUp) {
  auto session = ScanSession::create({.name = "home", .pool_bytes = kPool, .huge_pages = HugePages::off, .group_attempts = 3});
  ASSERT_TRUE(session);
  std::atomic<bool> over{false};
  std::thread server([&] {
    while (!over) session->serve(10ms);
  });
  BatchSource source;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(session->publish(0, source.make(100)));
  session->finish(true);
  for (int i = 0; i < 3; ++i) {
    Actor victim({"consume", "home", "group=loaders", "stop_after=1", "hold=9"});
    EXPECT_EQ(victim.await("stopped"), "stopped");
    victim.signal(SIGKILL);
    victim.wait();
    ASSERT_TRUE(testing::eventually([&] {
      const auto group = session->groups().at(0);
      return group.redeliveries + group.poisoned_batches == std::uint64_t(i + 1);
    }));
  }
  Consumer last = member();
  Work work;
  read(last, work);
  EXPECT_EQ(last.stats().batches, 4u);
  const GroupStatus group = session->groups().at(0);
  EXPECT_EQ(group.poisoned_batches, 1u);
  EXPECT_EQ(group.poisoned_rows, 100u);
  EXPECT_EQ(group.done_batches, 4u);
  ASSERT_TRUE(testing::eventually([&] { return session->attendance().all_finished; }));
  over = true;
  server.join();
}

TEST_F(GroupsTest, AGroupWithoutMembersDissolvesAndHoldsNothing) {
  auto session = ScanSession::create({.name = "home", .pool_bytes = 2u << 20, .huge_pages = HugePages::off, .group_linger = 200ms});
  ASSERT_TRUE(session);
  std::atomic<bool> over{false};
  std::thread server([&] {
    while (!over) session->serve(10ms);
  });
  { const Consumer gone = member(); }
  auto broadcast = Consumer::attach({.scan = "home"});
  ASSERT_TRUE(broadcast);
  Work work;
  std::thread reader([&] { read(*broadcast, work); });
  BatchSource source;
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(session->publish(0, source.make(1000)));
  session->finish(true);
  reader.join();
  EXPECT_EQ(work.wrong(200, 1000), "");
  ASSERT_TRUE(testing::eventually([&] { return session->attendance().all_finished; }));
  EXPECT_TRUE(session->groups().at(0).dissolved);
  over = true;
  server.join();
}

TEST_F(GroupsTest, AnEvictedGroupLearnsItAndKeepsWhatItHas) {
  ServedScan scan("home", 2u << 20);
  Consumer idle = member();
  auto broadcast = Consumer::attach({.scan = "home"});
  ASSERT_TRUE(broadcast);
  Work work;
  std::thread reader([&] { read(*broadcast, work); });
  std::thread worker([&] {
    BatchSource source;
    for (int i = 0; i < 200; ++i) EXPECT_TRUE(scan->publish(0, source.make(1000)));
    scan->finish(true);
  });
  const auto kept = idle.next(10s);
  ASSERT_TRUE(kept && *kept);
  std::vector<ConsumerStatus> evicted;
  ASSERT_TRUE(testing::eventually([&] {
    evicted = scan->watch_slow_consumers(200ms);
    return !evicted.empty();
  }));
  EXPECT_EQ(evicted[0].group, "loaders");
  worker.join();
  reader.join();
  EXPECT_EQ(work.wrong(200, 1000), "");
  EXPECT_EQ(idle.next(5s).error().code, ECANCELED);
  const std::uint64_t row = first_row(**kept);
  EXPECT_EQ((*kept)->view().column(schema::Column::inode).at<std::uint64_t>(999), row + 999);
}

TEST_F(GroupsTest, MembersWithLeasesOutstandingOnlyUntilTheyAreDropped) {
  ServedScan scan("home", kPool);
  BatchSource source;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(scan->publish(0, source.make(100)));
  scan->finish(true);
  std::vector<BatchLease> kept;
  {
    Consumer gone = member();
    for (int i = 0; i < 2; ++i) kept.push_back(**gone.next(5s));
  }
  Consumer other = member();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(*other.next(5s));
  EXPECT_FALSE(*other.next(200ms)) << "two are still with the one that detached";
  EXPECT_EQ(other.end(), StreamEnd::running);
  std::thread dropper([&] { kept.clear(); });
  EXPECT_FALSE(*other.next(10s));
  EXPECT_EQ(other.end(), StreamEnd::complete);
  dropper.join();
}

TEST_F(GroupsTest, RanksShareByLaneAndSequence) {
  ServedScan scan("home");
  BatchSource source;
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(scan->publish(unsigned(i), source.make(100)));
  scan->finish(true);
  Work work;
  for (std::uint32_t rank = 0; rank < 3; ++rank) {
    auto consumer = Consumer::attach({.scan = "home", .rank = rank, .world = 3});
    ASSERT_TRUE(consumer);
    for (auto lease = consumer->next(5s); lease && *lease; lease = consumer->next(5s)) {
      EXPECT_EQ(((*lease)->lane() + (*lease)->sequence()) % 3, rank);
      work.done(first_row(**lease), false);
    }
    EXPECT_EQ(consumer->end(), StreamEnd::complete);
  }
  EXPECT_EQ(work.wrong(30, 100), "");
  EXPECT_EQ(Consumer::attach({.scan = "home", .rank = 3, .world = 3}).error().code, EINVAL);
  EXPECT_EQ(Consumer::attach({.scan = "home", .rank = 0, .world = 2, .group = "g"}).error().code, EINVAL);
  EXPECT_EQ(Consumer::attach({.scan = "home", .group = std::string(64, 'g')}).error().code, EINVAL);
}

}  // namespace
}  // namespace pwalk::ipc
