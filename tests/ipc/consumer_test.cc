#include "pwalk/ipc/consumer.h"

#include <gtest/gtest.h>

#include <thread>

#include "ipc/scan_fixture.h"

namespace pwalk::ipc {
namespace {

using namespace std::chrono_literals;
using testing::BatchSource;
using testing::RowTally;
using testing::RuntimeDirectory;
using testing::ServedScan;

/// What one consumer saw of a whole stream.
struct Reading {
  RowTally tally;
  StreamEnd end = StreamEnd::running;
  ConsumerStats stats;
  std::string error;
};

Reading read_all(const AttachOptions& options) {
  Reading reading;
  auto consumer = Consumer::attach(options);
  if (!consumer) {
    reading.error = consumer.error().message();
    return reading;
  }
  while (consumer->end() == StreamEnd::running) {
    auto lease = consumer->next(20s);
    if (!lease) {
      reading.error = lease.error().message();
      return reading;
    }
    if (!*lease) break;
    reading.tally.add((*lease)->view());
  }
  reading.end = consumer->end();
  reading.stats = consumer->stats();
  return reading;
}

class ConsumerTest : public ::testing::Test {
 protected:
  RuntimeDirectory runtime_;
};

TEST_F(ConsumerTest, ReadsEverythingThatWasPublishedBeforeItCame) {
  ServedScan scan("early");
  BatchSource source;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(scan->publish(0, source.make(100)));
  scan->finish(true);
  const Reading reading = read_all({.scan = "early"});
  EXPECT_EQ(reading.error, "");
  EXPECT_EQ(reading.end, StreamEnd::complete);
  EXPECT_EQ(reading.tally.missing_or_doubled(1000), "");
  EXPECT_EQ(reading.stats.rows, 1000u);
  EXPECT_EQ(reading.stats.directories, 10u);
}

TEST_F(ConsumerTest, SeveralReadManyTimesThePool) {
  ServedScan scan("several");
  std::vector<std::thread> readers;
  std::vector<Reading> readings(3);
  for (Reading& reading : readings) readers.emplace_back([&] { reading = read_all({.scan = "several", .timeout = 5s}); });
  ASSERT_TRUE(scan.wait_until([&] { return scan->attendance().attached == 3; }));
  BatchSource source;
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(scan->publish(unsigned(i), source.make(1000)));
  scan->finish(true);
  for (std::thread& reader : readers) reader.join();
  for (const Reading& reading : readings) {
    EXPECT_EQ(reading.error, "");
    EXPECT_EQ(reading.end, StreamEnd::complete);
    EXPECT_EQ(reading.tally.missing_or_doubled(source.rows_made()), "");
  }
  EXPECT_TRUE(scan.wait_until([&] { return scan->attendance().attached == 0; }));
  EXPECT_EQ(scan->attendance().ever, 3u);
}

}  // namespace
}  // namespace pwalk::ipc
