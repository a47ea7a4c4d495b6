#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "ipc/actor_process.h"
#include "ipc/scan_fixture.h"
#include "pwalk/ipc/consumer.h"
#include "pwalk/ipc/scan_directory.h"

/// Scanner and consumers in PID namespaces of their own with a /proc of their own, as in containers that share the
/// runtime directory: neither has a number for the other.
namespace pwalk::ipc {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using testing::Actor;
using testing::BatchSource;
using testing::RuntimeDirectory;
using testing::ServedScan;

/// Death must be known within this, on a machine that has other things to do as well.
constexpr auto kSoon = 1s;

/// Starts a program as the first process of a namespace, which ends with it.
const std::vector<std::string> kElsewhere{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"};

class PidNamespacesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string try_it;
    for (const std::string& word : kElsewhere) try_it += word + " ";
    if (std::system((try_it + "true >/dev/null 2>&1").c_str()) != 0)
      GTEST_SKIP() << "no process can be started in a PID namespace of its own";
  }
  static std::unique_ptr<Actor> elsewhere(std::vector<std::string> arguments) {
    return std::make_unique<Actor>(std::move(arguments), kElsewhere);
  }
  /// Since `since`, how long until `condition` held.
  template <class Condition>
  static Clock::duration time_until(Clock::time_point since, Condition&& condition) {
    EXPECT_TRUE(testing::eventually(condition));
    return Clock::now() - since;
  }

  RuntimeDirectory runtime_;
};

TEST_F(PidNamespacesTest, EverybodyInOneOfHisOwnReadsToTheEnd) {
  const auto scanner = elsewhere({"produce", "home", "consumers=3", "batches=200", "rows=1000"});
  const auto one = elsewhere({"consume", "home"}), other = elsewhere({"consume", "home", "hold=5"});
  Actor here({"consume", "home"});
  for (Actor* consumer : {one.get(), other.get(), &here})
    EXPECT_EQ(consumer->await("end="), "end=complete rows=200000 batches=200 verdict=good");
  EXPECT_EQ(scanner->wait(), 0);
  EXPECT_TRUE(runtime_.names().empty());
}

TEST_F(PidNamespacesTest, AConsumersDeathIsKnownToAScannerOutside) {
  ServedScan scan("home");
  const auto victim = elsewhere({"consume", "home", "stop_after=1"});
  BatchSource source;
  ASSERT_TRUE(scan->publish(0, source.make(10)));
  ASSERT_EQ(victim->await("stopped"), "stopped");
  const auto died = Clock::now();
  victim->signal(SIGKILL);
  EXPECT_LT(time_until(died, [&] { return scan->consumers().empty(); }), kSoon);
}

/// It holds most of the pool: without its death being seen the scan never ends.
TEST_F(PidNamespacesTest, AConsumersDeathIsKnownToAScannerInAnotherOne) {
  const auto scanner = elsewhere({"produce", "home", "consumers=2", "batches=300", "rows=1000"});
  const auto victim = elsewhere({"consume", "home", "stop_after=5", "hold=5"});
  const auto survivor = elsewhere({"consume", "home"});
  ASSERT_EQ(victim->await("stopped"), "stopped");
  const auto scans = list_scans(runtime_.path());
  ASSERT_TRUE(scans && scans->size() == 1);
  ASSERT_EQ(scans->front().consumers.size(), 2u);
  for (const ConsumerStatus& consumer : scans->front().consumers)
    EXPECT_EQ(consumer.pid, 0u) << "else they are not as far from each other as they should be";
  victim->signal(SIGKILL);
  EXPECT_EQ(survivor->await("end="), "end=complete rows=300000 batches=300 verdict=good");
  EXPECT_EQ(scanner->wait(), 0);
}

TEST_F(PidNamespacesTest, AScannersDeathIsKnownInAnyOther) {
  const auto scanner = elsewhere({"produce", "home", "consumers=2", "batches=100000", "rows=100"});
  const auto member = elsewhere({"consume", "home", "group=loaders"});
  auto here = Consumer::attach({.scan = "home", .timeout = 10s});
  ASSERT_TRUE(here) << here.error().message();
  ASSERT_NE(member->await("attached"), "");
  ASSERT_TRUE(here->next(10s));
  const auto died = Clock::now();
  scanner->signal(SIGKILL);
  while (here->end() == StreamEnd::running) ASSERT_TRUE(here->next(10s));
  EXPECT_EQ(here->end(), StreamEnd::scanner_died);
  EXPECT_EQ(member->await("end=").substr(0, 17), "end=scanner_died ");
  EXPECT_LT(Clock::now() - died, kSoon);
}

TEST_F(PidNamespacesTest, WhatAMemberInAnotherOneHadWhenItDiedGoesToTheOthers) {
  const auto scanner = elsewhere({"produce", "home", "consumers=1", "batches=60", "rows=500"});
  const auto victim = elsewhere({"consume", "home", "group=loaders", "hold=1000", "stop_after=3"});
  ASSERT_EQ(victim->await("stopped"), "stopped");
  const auto survivor = elsewhere({"consume", "home", "group=loaders", "tell=1"});  // else it might take them all
  ASSERT_NE(survivor->await("attached"), "");
  victim->signal(SIGKILL);
  std::vector<unsigned> times(60);
  unsigned redelivered = 0;
  for (auto line = survivor->line(); line && !line->starts_with("end="); line = survivor->line()) {
    unsigned long first = 0, rows = 0, again = 0;
    if (std::sscanf(line->c_str(), "batch %lu %lu %lu", &first, &rows, &again) != 3) continue;
    ++times.at(first / 500);
    redelivered += unsigned(again);
  }
  EXPECT_EQ(times, std::vector<unsigned>(60, 1));
  EXPECT_EQ(redelivered, 3u) << "what the dead one had, and nothing else";
  EXPECT_EQ(scanner->wait(), 0);
}

}  // namespace
}  // namespace pwalk::ipc
