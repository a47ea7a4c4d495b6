#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "ipc/actor_process.h"
#include "ipc/scan_fixture.h"
#include "pwalk/ipc/consumer.h"

/// Scanner and consumers as processes of their own.
namespace pwalk::ipc {
namespace {

using namespace std::chrono_literals;
using testing::Actor;
using testing::BatchSource;
using testing::RowTally;
using testing::RuntimeDirectory;
using testing::ServedScan;

class ProcessesTest : public ::testing::Test {
 protected:
  RuntimeDirectory runtime_;
};

std::string complete(std::uint64_t rows, std::uint64_t batches) {
  return "end=complete rows=" + std::to_string(rows) + " batches=" + std::to_string(batches) +
         " verdict=good";
}

TEST_F(ProcessesTest, ThreeConsumersEachGetEverythingOnce) {
  Actor scanner({"produce", "home", "consumers=3", "batches=200", "rows=1000"});
  Actor fast({"consume", "home"}), slow({"consume", "home", "pause_us=300"}),
      holding({"consume", "home", "hold=40"});
  for (Actor* consumer : {&fast, &slow, &holding}) EXPECT_EQ(consumer->await("end="), complete(200'000, 200));
  EXPECT_EQ(scanner.wait(), 0);
  EXPECT_TRUE(runtime_.names().empty());
}

TEST_F(ProcessesTest, ConsumersOneAfterTheOtherAllBeginAtTheFirstEntry) {
  Actor scanner({"produce", "home", "batches=20", "rows=100", "linger=1"});
  for (int i = 0; i < 3; ++i) {
    Actor consumer({"consume", "home"});
    EXPECT_EQ(consumer.await("end="), complete(2000, 20));
    if (i == 0) {
      EXPECT_EQ(scanner.await("finished"), "finished");
    }
  }
}

TEST_F(ProcessesTest, OneThatComesTooLateIsToldHowMuchItMissed) {
  Actor scanner({"produce", "home", "consumers=1", "batches=300", "rows=1000", "linger=1"});
  Actor first({"consume", "home"});
  EXPECT_EQ(first.await("end="), complete(300'000, 300));
  Actor late({"consume", "home"});
  const std::string error = late.await("error");
  EXPECT_NE(error.find("entries of the scan 'home' are gone"), std::string::npos) << error;
  Actor patient({"consume", "home", "start=oldest"});
  const std::string attached = patient.await("attached ");
  const std::uint64_t missed = std::stoull(attached.substr(9));
  EXPECT_GT(missed, 100'000u);
  EXPECT_EQ(patient.await("end=").substr(0, 18), "end=complete rows=");
}

TEST_F(ProcessesTest, MoreConsumersThanBlocksForThemDoNotDeadlock) {
  Actor scanner({"produce", "home", "pool=2097152", "consumers=4", "batches=150", "rows=4000"});
  std::vector<std::unique_ptr<Actor>> consumers;
  for (int i = 0; i < 4; ++i)
    consumers.push_back(std::make_unique<Actor>(std::vector<std::string>{"consume", "home", "hold=3"}));
  for (auto& consumer : consumers) EXPECT_EQ(consumer->await("end="), complete(600'000, 150));
}

TEST_F(ProcessesTest, BatchesLargerThanABlockComeWhole) {
  Actor scanner({"produce", "home", "consumers=2", "batches=60", "rows=1000", "name_bytes=400"});
  Actor one({"consume", "home"}), two({"consume", "home", "hold=2"});
  for (Actor* consumer : {&one, &two}) EXPECT_EQ(consumer->await("end="), complete(60'000, 60));
}

TEST_F(ProcessesTest, AStoppedConsumerHoldsBackAndIsNamed) {
  ServedScan scan("home");
  Actor stopped({"consume", "home", "stop_after=1"});
  ASSERT_TRUE(testing::eventually([&] { return scan->attendance().attached == 1; }));
  std::thread worker([&] {
    BatchSource source;
    while (scan->publish(0, source.make(4000))) {
    }
  });
  EXPECT_EQ(stopped.await("stopped"), "stopped");
  ASSERT_TRUE(testing::eventually([&] { return scan->starved(); }));
  const auto consumers = scan->consumers();
  ASSERT_EQ(consumers.size(), 1u);
  EXPECT_EQ(consumers[0].label, "ipc_actor");
  EXPECT_TRUE(consumers[0].holding_back);
  scan->stop();
  worker.join();
}

TEST_F(ProcessesTest, AForkedChildsHandleIsDeadAndHarmless) {
  ServedScan scan("home");
  BatchSource source;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(scan->publish(0, source.make(100)));
  auto consumer = Consumer::attach({.scan = "home"});
  ASSERT_TRUE(consumer);
  auto lease = consumer->next(5s);
  ASSERT_TRUE(lease && *lease);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool readable = (*lease)->view().rows() == 100;
    const auto refused = consumer->next(1s);
    (*lease)->release();
    { const Consumer gone = *std::move(consumer); }  // its destructor must not detach the parent
    ::_exit(readable && !refused && refused.error().code == ESTALE ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(scan->consumers().at(0).held_batches, 3u) << "the child gave nothing back";
  EXPECT_EQ(scan->attendance().attached, 1u);
  scan->finish(true);
  RowTally tally;
  tally.add((*lease)->view());
  for (lease = consumer->next(5s); lease && *lease; lease = consumer->next(5s)) tally.add((*lease)->view());
  EXPECT_EQ(consumer->end(), StreamEnd::complete);
  EXPECT_EQ(tally.missing_or_doubled(300), "");
}

}  // namespace
}  // namespace pwalk::ipc
