#include "pwalk/ipc/consumer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <random>
#include <thread>

#include "figures_page.h"
#include "huge_pages.h"
#include "ipc/scan_fixture.h"
#include "pwalk/schema/row_hash.h"

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

/// Figures whose words all say the same, so that a mixture shows.
ScanFigures figures_full_of(std::uint64_t value) {
  std::array<std::uint64_t, kFigureWords> words;
  words.fill(value);
  return std::bit_cast<ScanFigures>(words);
}

TEST_F(ConsumerTest, SeesHowTheScanIsDoing) {
  ServedScan scan("figures");
  auto consumer = Consumer::attach({.scan = "figures"});
  ASSERT_TRUE(consumer) << consumer.error().message();
  EXPECT_FALSE(consumer->scan_figures());
  ScanFigures told;
  told.entries = 7, told.thread_ns = 400, told.busy_ns = 300, told.statx = {1, 2, 3};
  scan->set_figures(told);
  const auto seen = consumer->scan_figures();
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->entries, 7u);
  EXPECT_EQ(seen->thread_efficiency(), 0.75);
  EXPECT_EQ(seen->statx.count, 3u);
}

TEST_F(ConsumerTest, NeverSeesFiguresOfTwoMoments) {
  ServedScan scan("whole");
  auto consumer = Consumer::attach({.scan = "whole"});
  ASSERT_TRUE(consumer) << consumer.error().message();
  std::atomic<bool> stop{false};
  scan->set_figures(figures_full_of(1));
  std::thread writer([&] {
    for (std::uint64_t value = 2; !stop.load(std::memory_order_relaxed); ++value) scan->set_figures(figures_full_of(value));
  });
  std::uint64_t last = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto seen = consumer->scan_figures();
    if (!seen) continue;  // overtaken all the time
    using Words = std::array<std::uint64_t, kFigureWords>;
    ASSERT_EQ(std::bit_cast<Words>(*seen), std::bit_cast<Words>(figures_full_of(seen->entries)));
    ASSERT_GE(seen->entries, last);
    last = seen->entries;
  }
  stop.store(true, std::memory_order_relaxed);
  writer.join();
  EXPECT_GT(last, 0u);
}

TEST_F(ConsumerTest, IsNotHeldUpByAScannerThatDiedWhileItWrote) {
  FiguresPage<StdAtomics> page{};
  page.version = 3;
  EXPECT_FALSE(read_figures(page));
}

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

/// Puts the soft limit of open files back when it goes.
class SoftLimit {
 public:
  explicit SoftLimit(rlim_t descriptors) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit lowered{descriptors, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &lowered);
  }
  SoftLimit(const SoftLimit&) = delete;
  SoftLimit& operator=(const SoftLimit&) = delete;
  ~SoftLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(ConsumerTest, TheSoftLimitOfDescriptorsKeepsNobodyOut) {
  const SoftLimit limit(100);
  ServedScan scan("home");
  std::vector<Consumer> consumers;
  for (int i = 0; i < 50; ++i) {
    auto consumer = Consumer::attach({.scan = "home"});
    ASSERT_TRUE(consumer) << i << ": " << consumer.error().message();
    consumers.push_back(*std::move(consumer));
  }
}

TEST_F(ConsumerTest, SeveralReadManyTimesThePool) {
  ServedScan scan("several");
  std::vector<std::thread> readers;
  std::vector<Reading> readings(3);
  for (Reading& reading : readings)
    readers.emplace_back([&] { reading = read_all({.scan = "several", .timeout = 5s}); });
  ASSERT_TRUE(testing::eventually([&] { return scan->attendance().attached == 3; }));
  BatchSource source;
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(scan->publish(unsigned(i), source.make(1000)));
  scan->finish(true);
  for (std::thread& reader : readers) reader.join();
  for (const Reading& reading : readings) {
    EXPECT_EQ(reading.error, "");
    EXPECT_EQ(reading.end, StreamEnd::complete);
    EXPECT_EQ(reading.tally.missing_or_doubled(source.rows_made()), "");
  }
  EXPECT_TRUE(testing::eventually([&] { return scan->attendance().attached == 0; }));
  EXPECT_EQ(scan->attendance().ever, 3u);
}

/// A scan with batches in it, and one consumer of it.
class AttachedTest : public ConsumerTest {
 protected:
  AttachedTest() : scan_("home"), consumer_(*Consumer::attach({.scan = "home"})) {}

  void publish(int batches, std::uint32_t rows = 100) {
    for (int i = 0; i < batches; ++i) ASSERT_TRUE(scan_->publish(0, source_.make(rows)));
  }
  BatchLease next() {
    auto lease = consumer_.next(10s);
    EXPECT_TRUE(lease && *lease) << (lease ? "nothing came" : lease.error().message());
    return lease && *lease ? **lease : BatchLease();
  }

  ServedScan scan_;
  BatchSource source_;
  Consumer consumer_;
};

TEST_F(AttachedTest, ATimeoutIsNoEnd) {
  const auto nothing = consumer_.next(5ms);
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);
  EXPECT_EQ(consumer_.end(), StreamEnd::running);
  publish(1);
  EXPECT_TRUE(next());
  EXPECT_FALSE(*consumer_.next(0ms));
}

TEST_F(AttachedTest, AnEndlessTimeoutIsOne) {
  publish(1);
  const auto lease = consumer_.next(std::chrono::milliseconds::max());
  EXPECT_TRUE(lease && *lease);
  EXPECT_TRUE(Consumer::attach({.scan = "home", .timeout = std::chrono::milliseconds::max()}));
}

TEST_F(AttachedTest, ABatchWakesASleeper) {
  std::thread later([&] {
    std::this_thread::sleep_for(20ms);
    publish(1);
  });
  EXPECT_TRUE(next());
  later.join();
  EXPECT_GT(consumer_.stats().waited_ns, 0u);
}

TEST_F(ConsumerTest, AWaitCanBeInterrupted) {
  const ServedScan scan("home");
  int asked = 0;
  auto consumer = Consumer::attach({.scan = "home", .interrupted = [&] { return ++asked == 4; }});
  ASSERT_TRUE(consumer);
  EXPECT_EQ(consumer->next(20s).error().code, EINTR);
  EXPECT_EQ(asked, 4);
  EXPECT_TRUE(consumer->next(0ms)) << "the next wait is a new one";
}

TEST_F(AttachedTest, DetachingEndsReadingButNotTheLeases) {
  publish(3);
  const BatchLease held = next();
  const std::string before = held.view().path(7);
  consumer_.detach();
  consumer_.detach();
  EXPECT_EQ(consumer_.next(1s).error().code, ENOTCONN);
  ASSERT_TRUE(testing::eventually([&] { return scan_->attendance().attached == 0; }));
  EXPECT_EQ(scan_->consumers().at(0).held_batches, 1u);
  scan_->reuse_without_consumers(true);
  publish(500, 1000);
  EXPECT_EQ(held.view().path(7), before);
}

TEST_F(AttachedTest, ALeaseDroppedAfterDetachingGivesItsBatchBack) {
  publish(1);
  {
    const BatchLease held = next();
    consumer_.detach();
    ASSERT_TRUE(testing::eventually([&] { return scan_->attendance().attached == 0; }));
    EXPECT_EQ(scan_->consumers().size(), 1u);
  }
  EXPECT_TRUE(testing::eventually([&] { return scan_->consumers().empty(); }));
}

TEST_F(ConsumerTest, ViewsOutliveTheConsumerAndTheScan) {
  std::vector<BatchLease> held;
  {
    ServedScan scan("home");
    BatchSource source;
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(scan->publish(0, source.make(50)));
    auto consumer = Consumer::attach({.scan = "home"});
    ASSERT_TRUE(consumer);
    for (int i = 0; i < 5; ++i) held.push_back(**consumer->next(5s));
  }
  RowTally tally;
  for (const BatchLease& lease : held) tally.add(lease.view());
  EXPECT_EQ(tally.missing_or_doubled(250), "");
}

TEST_F(ConsumerTest, AScanThatGoesWithoutFinishingWasCutShort) {
  auto scan = std::make_unique<ServedScan>("home");
  BatchSource source;
  ASSERT_TRUE((*scan)->publish(0, source.make(10)));
  auto consumer = Consumer::attach({.scan = "home"});
  ASSERT_TRUE(consumer);
  scan.reset();
  EXPECT_TRUE(*consumer->next(5s)) << "what was published is read";
  EXPECT_FALSE(*consumer->next(5s));
  EXPECT_EQ(consumer->end(), StreamEnd::cut_short);
}

/// Whoever keeps every batch gets copies beyond his grant, and stalls nobody.
TEST_F(AttachedTest, KeepingEveryBatchStallsNobody) {
  std::thread worker([&] {
    publish(200, 1000);
    scan_->finish(true);
  });
  std::vector<BatchLease> held;
  for (auto lease = consumer_.next(10s); lease && *lease; lease = consumer_.next(10s))
    held.push_back(**lease);
  worker.join();
  EXPECT_EQ(consumer_.end(), StreamEnd::complete);
  ASSERT_EQ(held.size(), 200u);
  RowTally tally;
  for (const BatchLease& lease : held) tally.add(lease.view());
  EXPECT_EQ(tally.missing_or_doubled(200'000), "");
  EXPECT_TRUE(consumer_.in_pool(held.front().view().bytes().data())) << "within the grant nothing is copied";
  EXPECT_FALSE(consumer_.in_pool(held.back().view().bytes().data()));
}

TEST_F(AttachedTest, OneBatchAtATimeIsNeverCopied) {
  std::thread worker([&] {
    publish(100, 1000);
    scan_->finish(true);
  });
  for (auto lease = consumer_.next(10s); lease && *lease; lease = consumer_.next(10s)) {
    const schema::EntryBatchView& view = (*lease)->view();
    EXPECT_TRUE(consumer_.in_pool(view.column(schema::Column::inode).values));
    EXPECT_TRUE(consumer_.in_pool(view.name_bytes().data()));
  }
  worker.join();
}

TEST_F(AttachedTest, LeasesAreDroppedByAnyThreadInAnyOrder) {
  std::mt19937_64 random(testing::test_seed());
  std::mutex mutex;
  std::vector<BatchLease> held;
  std::atomic<bool> done{false};
  std::vector<std::thread> droppers;
  for (int i = 0; i < 3; ++i)
    droppers.emplace_back([&] {
      while (!done) {
        BatchLease mine;
        const std::lock_guard lock(mutex);
        if (held.empty()) continue;
        std::swap(mine, held[random() % held.size()]);
        std::erase_if(held, [](const BatchLease& lease) { return !lease; });
      }
    });
  std::thread worker([&] {
    publish(1000, 50);
    scan_->finish(true);
  });
  for (auto lease = consumer_.next(10s); lease && *lease; lease = consumer_.next(10s)) {
    const std::lock_guard lock(mutex);
    held.push_back(**lease);
  }
  done = true;
  worker.join();
  for (std::thread& dropper : droppers) dropper.join();
  held.clear();
  EXPECT_EQ(consumer_.end(), StreamEnd::complete);
  EXPECT_EQ(consumer_.stats().rows, 50'000u);
  EXPECT_TRUE(testing::eventually([&] { return scan_->consumers().at(0).held_batches == 0; }));
}

TEST_F(AttachedTest, FromNowOnMeansFromNowOn) {
  publish(3);
  auto late = Consumer::attach({.scan = "home", .start = StartAt::now});
  ASSERT_TRUE(late);
  EXPECT_EQ(late->missed_rows(), 300u);
  publish(2);
  scan_->finish(true);
  while (*late->next(5s)) {
  }
  EXPECT_EQ(late->end(), StreamEnd::complete) << "its counts are not the scan's, and nobody expects it";
  EXPECT_EQ(late->stats().rows, 200u);
  EXPECT_EQ(late->stats().missed_rows, 300u);
}

TEST_F(AttachedTest, CountsErrorsOfRowsAndDirectories) {
  schema::EntryBatchBuilder builder(schema::ColumnSet::all(), {});
  builder.begin_directory("/d", 1);
  for (const unsigned error : {0u, unsigned(EACCES), 0u}) {
    schema::Entry entry;
    entry.name = "x";
    entry.known = schema::ColumnSet::all();
    entry.error = error;
    ASSERT_TRUE(builder.append(entry));
  }
  ASSERT_TRUE(builder.end_directory({.entries = 3, .error = EIO, .operation = schema::Operation::getdents}));
  const schema::FinishedBatch done = builder.finish();
  ASSERT_TRUE(scan_->publish(0, {done.bytes, done.rows, done.records, done.file_bytes, done.content_hash}));
  EXPECT_TRUE(next());
  EXPECT_EQ(consumer_.stats().errors, 2u);
}

/// Batches that are not what they should be. The scanner is trusted not to be
/// malicious, but a bug of its must not pass for data.
class BadBatchTest : public AttachedTest {
 protected:
  void expect_refused(const OutgoingBatch& batch) {
    publish(1);
    ASSERT_TRUE(scan_->publish(0, batch));
    scan_->finish(true);
    EXPECT_TRUE(next());
    const auto bad = consumer_.next(5s);
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().code, EPROTO) << bad.error().message();
    EXPECT_EQ(consumer_.next(5s).error().code, EPROTO) << "and nothing is read after it";
    EXPECT_EQ(consumer_.end(), StreamEnd::running);
  }
};

TEST_F(BadBatchTest, Noise) {
  std::vector<std::byte> noise(5000);
  std::mt19937_64 random(testing::test_seed());
  for (std::byte& byte : noise) byte = std::byte(random());
  expect_refused({.bytes = noise, .rows = 1});
}
TEST_F(BadBatchTest, OtherRowsThanStated) {
  BatchSource other;
  OutgoingBatch batch = other.make(10);
  batch.rows = 11;
  expect_refused(batch);
}
TEST_F(BadBatchTest, AnotherHashThanStated) {
  BatchSource other;
  OutgoingBatch batch = other.make(10);
  batch.content_hash ^= 1;
  expect_refused(batch);
}

/// A value that changed on the way is within the format; only the hash of the rows tells.
TEST_F(AttachedTest, ARowThatChangedIsFoundAtTheEndByItsHash) {
  BatchSource other;
  const OutgoingBatch good = other.make(10);
  std::vector<std::byte> bytes(good.bytes.size() + 64);
  std::byte* aligned = bytes.data() + (64 - std::uintptr_t(bytes.data()) % 64) % 64;
  std::copy(good.bytes.begin(), good.bytes.end(), aligned);
  const auto view = schema::EntryBatchView::check({aligned, good.bytes.size()});
  ASSERT_TRUE(view);
  const std::ptrdiff_t at = view->column(schema::Column::inode).values - aligned;
  aligned[at] ^= std::byte{1};
  OutgoingBatch changed = good;
  changed.bytes = {aligned, good.bytes.size()};
  ASSERT_TRUE(scan_->publish(0, changed));
  scan_->finish(true);
  EXPECT_TRUE(next());
  const auto end = consumer_.next(5s);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, EPROTO);
  auto trusting = Consumer::attach({.scan = "home", .verify_rows = false});
  ASSERT_TRUE(trusting);
  EXPECT_TRUE(*trusting->next(5s));
  EXPECT_TRUE(trusting->next(5s));
  EXPECT_EQ(trusting->end(), StreamEnd::complete);
}

class PagesTest : public ConsumerTest, public ::testing::WithParamInterface<HugePages> {};

TEST_P(PagesTest, AStreamOverPagesOfEveryKind) {
  if (GetParam() == HugePages::require && free_reserved_pages().value_or(0) < 2)
    GTEST_SKIP() << "no 2 MiB pages are reserved (vm.nr_hugepages)";
  ServedScan scan("home", 4u << 20, GetParam());
  auto consumer = Consumer::attach({.scan = "home"});
  ASSERT_TRUE(consumer) << consumer.error().message();
  std::thread worker([&] {
    BatchSource source;
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(scan->publish(unsigned(i), source.make(1000)));
    scan->finish(true);
  });
  RowTally tally;
  for (auto lease = consumer->next(10s); lease && *lease; lease = consumer->next(10s))
    tally.add((*lease)->view());
  worker.join();
  EXPECT_EQ(consumer->end(), StreamEnd::complete);
  EXPECT_EQ(tally.missing_or_doubled(200'000), "");
}
INSTANTIATE_TEST_SUITE_P(All, PagesTest,
                         ::testing::Values(HugePages::off, HugePages::automatic, HugePages::require));

}  // namespace
}  // namespace pwalk::ipc
