#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "ipc/actor_process.h"
#include "ipc/scan_fixture.h"
#include "pwalk/ipc/consumer.h"
#include "pwalk/ipc/scan_directory.h"

/// kill -9 of either side, at any moment.
namespace pwalk::ipc {
namespace {

using namespace std::chrono_literals;
using testing::Actor;
using testing::BatchSource;
using testing::RowTally;
using testing::RuntimeDirectory;
using testing::ServedScan;

/// Mappings and descriptors of pwalk's shared memory in this process.
int shared_memory_in_use() {
  int count = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) count += line.find("memfd:pwalk-") != std::string::npos;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    count += std::filesystem::read_symlink(fd, gone).string().find("memfd:pwalk-") != std::string::npos;
  }
  return count;
}

class DeathTest : public ::testing::Test {
 protected:
  RuntimeDirectory runtime_;
};

TEST_F(DeathTest, OfOneConsumerOfThreeHarmsNobody) {
  Actor scanner({"produce", "home", "consumers=3", "batches=300", "rows=1000"});
  Actor one({"consume", "home"}), two({"consume", "home"}),
      victim({"consume", "home", "stop_after=20", "hold=5"});
  EXPECT_EQ(victim.await("stopped"), "stopped");
  victim.signal(SIGKILL);
  for (Actor* consumer : {&one, &two})
    EXPECT_EQ(consumer->await("end="), "end=complete rows=300000 batches=300 verdict=good");
  EXPECT_EQ(scanner.wait(), 0);
}

TEST_F(DeathTest, OfAConsumerIsNoticedBeforeItIsReaped) {
  ServedScan scan("home");
  Actor victim({"consume", "home", "stop_after=1"});
  BatchSource source;
  ASSERT_TRUE(scan->publish(0, source.make(10)));
  EXPECT_EQ(victim.await("stopped"), "stopped");
  EXPECT_EQ(scan->attendance().attached, 1u);
  victim.signal(SIGKILL);
  // A zombie is dead all the same.
  EXPECT_TRUE(testing::eventually([&] { return scan->attendance().attached == 0; }));
  EXPECT_TRUE(testing::eventually([&] { return scan->consumers().empty(); }));
}

TEST_F(DeathTest, OfAConsumerIsNoticedWhileItsForkedChildLives) {
  ServedScan scan("home");
  Actor victim({"consume", "home", "child=1"});
  ASSERT_EQ(victim.await("attached"), "attached 0");
  victim.signal(SIGKILL);
  EXPECT_TRUE(testing::eventually([&] { return scan->consumers().empty(); }));
}

TEST_F(DeathTest, OfAStoppedConsumerIsNoticed) {
  ServedScan scan("home");
  Actor victim({"consume", "home"});
  ASSERT_TRUE(testing::eventually([&] { return scan->attendance().attached == 1; }));
  victim.signal(SIGSTOP);
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(scan->attendance().attached, 1u) << "stopped is not dead";
  victim.signal(SIGKILL);
  EXPECT_TRUE(testing::eventually([&] { return scan->attendance().attached == 0; }));
}

/// Reads until the stream ends; what the scanner said it had published must all be there.
void read_until_death(Consumer& consumer, RowTally& tally) {
  while (consumer.end() == StreamEnd::running) {
    auto lease = consumer.next(20s);
    ASSERT_TRUE(lease) << lease.error().message();
    if (*lease) tally.add((*lease)->view());
  }
}

TEST_F(DeathTest, OfTheScannerIsNoticedWhileItsForkedChildLives) {
  Actor scanner({"produce", "home", "consumers=1", "batches=100000", "child=1"});
  auto consumer = Consumer::attach({.scan = "home", .timeout = 10s});
  ASSERT_TRUE(consumer);
  ASSERT_TRUE(*consumer->next(10s));
  scanner.signal(SIGKILL);
  RowTally rest;
  read_until_death(*consumer, rest);
  EXPECT_EQ(consumer->end(), StreamEnd::scanner_died);
  EXPECT_EQ(Consumer::attach({.scan = "home"}).error().code, ENOENT);

  Actor unread({"produce", "unread", "batches=3", "linger=1", "child=1"});
  ASSERT_EQ(unread.await("finished"), "finished");
  unread.signal(SIGKILL);
  unread.wait();
  EXPECT_EQ(Consumer::attach({.scan = "unread"}).error().code, ENOENT) << "its child still has the socket";
  EXPECT_EQ(remove_dead_scans(runtime_.path()), std::vector<std::string>{"unread"});
}

TEST_F(DeathTest, OfTheScannerAtRandomMomentsLosesNothingPublished) {
  std::mt19937_64 random(testing::test_seed());
  for (int round = 0; round < 25 && !HasFailure(); ++round) {
    Actor scanner({"produce", "home", "consumers=1", "batches=100000", "rows=200"});
    auto consumer = Consumer::attach({.scan = "home", .timeout = 10s});
    ASSERT_TRUE(consumer) << consumer.error().message();
    std::thread killer([&, after = std::chrono::microseconds(random() % 30'000)] {
      std::this_thread::sleep_for(after);
      scanner.signal(SIGKILL);
    });
    RowTally tally;
    read_until_death(*consumer, tally);
    killer.join();
    EXPECT_EQ(consumer->end(), StreamEnd::scanner_died);
    EXPECT_EQ(tally.missing_or_doubled(tally.rows()), "");
    const std::string last = scanner.last("published ");
    EXPECT_GE(tally.rows(), last.empty() ? 0 : std::stoull(last.substr(10)));
    EXPECT_TRUE(runtime_.names().empty()) << "the last consumer cleans up";
  }
  EXPECT_EQ(shared_memory_in_use(), 0);
}

TEST_F(DeathTest, OfTheScannerLeavesViewsAsTheyWere) {
  Actor scanner({"produce", "home", "consumers=1", "batches=10", "rows=100", "linger=1"});
  auto consumer = Consumer::attach({.scan = "home", .timeout = 10s});
  ASSERT_TRUE(consumer);
  std::vector<BatchLease> held;
  scanner.await("finished");
  scanner.signal(SIGKILL);
  scanner.wait();
  for (auto lease = consumer->next(5s); lease && *lease; lease = consumer->next(5s)) held.push_back(**lease);
  EXPECT_EQ(consumer->end(), StreamEnd::complete) << "it had said its last word";
  { const Consumer gone = *std::move(consumer); }
  RowTally tally;
  for (const BatchLease& lease : held) tally.add(lease.view());
  EXPECT_EQ(tally.missing_or_doubled(1000), "");
  EXPECT_GT(shared_memory_in_use(), 0);
  held.clear();
  EXPECT_EQ(shared_memory_in_use(), 0);
}

TEST_F(DeathTest, OfTheScannerFreesItsNameAndItsDirectory) {
  {
    Actor scanner({"produce", "home", "batches=5", "linger=1"});
    ASSERT_EQ(scanner.await("finished"), "finished");
    EXPECT_EQ(remove_scan(runtime_.path(), "home").error().code, EBUSY);
    scanner.signal(SIGKILL);
    scanner.wait();
  }
  const auto scans = list_scans(runtime_.path());
  ASSERT_TRUE(scans);
  ASSERT_EQ(scans->size(), 1u);
  EXPECT_EQ(scans->front().state, "dead");
  EXPECT_EQ(Consumer::attach({.scan = "home"}).error().code, ENOENT);
  {
    Actor successor({"produce", "home", "batches=5", "linger=1"});
    EXPECT_EQ(successor.await("finished"), "finished");
    successor.signal(SIGKILL);
    successor.wait();
  }
  EXPECT_EQ(remove_dead_scans(runtime_.path()), std::vector<std::string>{"home"});
  EXPECT_TRUE(runtime_.names().empty());
}

TEST_F(DeathTest, OfTheScannerWhileItMakesTheScanLeavesNothingBehind) {
  std::mt19937_64 random(testing::test_seed());
  for (int round = 0; round < 20; ++round) {
    Actor scanner({"produce", "home", "batches=1", "linger=1"});
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 8'000));
    scanner.signal(SIGKILL);
    scanner.wait();
    ASSERT_TRUE(remove_dead_scans(runtime_.path()));
    EXPECT_TRUE(runtime_.names().empty());
  }
}

}  // namespace
}  // namespace pwalk::ipc
