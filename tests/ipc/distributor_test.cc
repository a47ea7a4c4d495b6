#include "distributor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>

#include "futex.h"
#include "ipc/scan_fixture.h"
#include "stream_reader.h"

/// The whole protocol as threads on one mapping, which is what ThreadSanitizer
/// can see: publishers, consumers and the control thread's work, without sockets.
namespace pwalk::ipc {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kBlocks = 8;

class DistributorTest : public ::testing::Test {
 protected:
  explicit DistributorTest(std::uint32_t lanes = 2) : pool_(kBlocks * kBlockBytes) {
    auto control = ControlMemory::create({.lanes = lanes,
                                          .slots = kBlocks * kUnitsPerBlock / lanes,
                                          .return_slots = 64,
                                          .pool_bytes = pool_.size()});
    if (!control) throw std::runtime_error(control.error().message());
    control_ = std::make_unique<ControlMemory>(*std::move(control));
    start_with(pool_.size());
  }

  /// Anew, with the first `ready` bytes of the pool.
  void start_with(std::uint64_t ready) { distributor_ = std::make_unique<Distributor>(std::span(pool_), *control_, ready); }

  std::shared_ptr<Seat> attach(StartAt start = StartAt::first) {
    auto admission = distributor_->attach({.start = start, .label = "reader"});
    EXPECT_TRUE(admission);
    return admission->seat;
  }

  /// Publishes `bytes` bytes that all hold `value`, as one row.
  Result<void> publish(unsigned worker, std::size_t bytes, std::uint8_t value) {
    const std::vector<std::byte> filled(bytes, std::byte{value});
    return distributor_->publish(worker, {.bytes = filled, .rows = 1, .content_hash = value});
  }

  std::vector<std::byte> pool_;
  std::unique_ptr<ControlMemory> control_;
  std::unique_ptr<Distributor> distributor_;
};

/// A consumer as a thread: takes, checks every byte, gives back in a random order.
class Reader {
 public:
  Reader(const std::vector<std::byte>& pool, const ControlMemory& control, Distributor& distributor,
         std::shared_ptr<Seat> seat, std::uint64_t seed)
      : pool_(pool), control_(control), distributor_(distributor), seat_(std::move(seat)), random_(seed) {}

  void read_to_the_end() {
    StreamReader reader(control_, seat_->memory);
    ReturnWriter<Atomics> returns = seat_->memory.return_writer();
    for (;;) {
      StreamReader::Taken taken;
      if (reader.take(taken) == Taking::taken) {
        read(taken);
        if (held_.size() > random_() % 4) give_one_back(returns);
      } else if (!held_.empty()) {
        give_one_back(returns);
      } else if (reader.state() != StreamState::running && !reader.ready()) {
        return;
      } else {
        sleep(reader);
      }
    }
  }

  std::uint64_t batches = 0, hash = 0, kicks = 0;
  std::string error;

 private:
  void read(const StreamReader::Taken& taken) {
    const BatchDescriptor& descriptor = taken.descriptor;
    if (descriptor.sequence != taken.expected_sequence) error = "out of order";
    check(descriptor);
    ++batches;
    hash += descriptor.content_hash;
    held_.push_back(descriptor);
  }
  void check(const BatchDescriptor& descriptor) {
    for (std::uint64_t i = descriptor.offset; i < descriptor.offset + descriptor.length; i += 509)
      if (pool_[i] != std::byte(descriptor.content_hash)) error = "bytes of another batch";
  }
  void give_one_back(ReturnWriter<Atomics>& returns) {
    const std::size_t which = random_() % held_.size();
    check(held_[which]);  // still what it was
    returns.push({std::uint32_t(held_[which].offset / kUnitBytes), std::uint32_t(held_[which].sequence)});
    held_.erase(held_.begin() + std::ptrdiff_t(which));
    if (must_kick<Atomics>(control_.header().starved)) ++kicks, distributor_.drain(*seat_);
  }
  void sleep(const StreamReader& reader) {
    auto& bell = seat_->memory.header().bell;
    const std::uint32_t ticket = announce_sleep<Atomics>(bell);
    if (!reader.ready() && reader.state() == StreamState::running) futex_wait(bell.bell, ticket, 50ms);
    end_sleep<Atomics>(bell);
  }

  const std::vector<std::byte>& pool_;
  const ControlMemory& control_;
  Distributor& distributor_;
  std::shared_ptr<Seat> seat_;
  std::mt19937_64 random_;
  std::vector<BatchDescriptor> held_;
};

TEST_F(DistributorTest, APoolThatGrowsKeepsItsHistoryUntilItIsWhole) {
  std::uint64_t ready = 4 * kBlockBytes;
  start_with(ready);
  distributor_->make_as_needed([&](std::uint16_t) -> Result<std::uint64_t> { return ready += kBlockBytes; });
  const auto seat = attach();
  StreamReader reader(*control_, seat->memory);
  ReturnWriter<Atomics> returns = seat->memory.return_writer();
  for (std::uint8_t batch = 0; batch < kBlocks; ++batch) {
    ASSERT_TRUE(publish(0, kBlockBytes, batch));
    StreamReader::Taken taken;
    ASSERT_EQ(reader.take(taken), Taking::taken);
    EXPECT_LE(taken.descriptor.offset + kBlockBytes, ready) << "in memory that is not there";
    returns.push({std::uint32_t(taken.descriptor.offset / kUnitBytes), std::uint32_t(taken.descriptor.sequence)});
    distributor_->drain(*seat);
    EXPECT_EQ(distributor_->gone_rows(), 0u) << "room was made although the pool can grow";
  }
  EXPECT_EQ(ready, pool_.size());
  ASSERT_TRUE(publish(0, kBlockBytes, 99));
  EXPECT_GT(distributor_->gone_rows(), 0u);
  EXPECT_EQ(distributor_->shortage(), "");
}

TEST_F(DistributorTest, APoolThatCannotGrowStaysAsItIs) {
  start_with(4 * kBlockBytes);
  distributor_->make_as_needed([](std::uint16_t) -> Result<std::uint64_t> { return fail(ENOMEM, "no more"); });
  for (std::uint8_t batch = 0; batch < 4; ++batch) ASSERT_TRUE(publish(0, kBlockBytes, batch));
  EXPECT_NE(distributor_->shortage().find("no more"), std::string::npos);
  const auto seat = attach();
  StreamReader reader(*control_, seat->memory);
  ReturnWriter<Atomics> returns = seat->memory.return_writer();
  for (std::uint8_t batch = 0; batch < 40; ++batch) {
    StreamReader::Taken taken;
    ASSERT_EQ(reader.take(taken), Taking::taken);
    EXPECT_LT(taken.descriptor.offset, 4 * kBlockBytes);
    returns.push({std::uint32_t(taken.descriptor.offset / kUnitBytes), std::uint32_t(taken.descriptor.sequence)});
    distributor_->drain(*seat);
    ASSERT_TRUE(publish(0, kBlockBytes, batch));
  }
}

TEST_F(DistributorTest, EveryReaderGetsEveryBatchWhateverTheThreadsDo) {
  constexpr int kBatches = 400;
  constexpr unsigned kWorkers = 3;
  const std::uint64_t seed = testing::test_seed();
  std::vector<std::unique_ptr<Reader>> readers;
  for (unsigned i = 0; i < 3; ++i)
    readers.push_back(std::make_unique<Reader>(pool_, *control_, *distributor_, attach(), seed + i));
  std::vector<std::thread> threads, workers;
  for (auto& reader : readers) threads.emplace_back([&] { reader->read_to_the_end(); });
  std::atomic<std::uint64_t> published_hash{0};
  for (unsigned worker = 0; worker < kWorkers; ++worker)
    workers.emplace_back([&, worker] {
      std::mt19937_64 random(seed + 100 + worker);
      for (int i = 0; i < kBatches; ++i) {
        const auto value = std::uint8_t(random());
        // Now and then one that needs a run of two blocks.
        const std::size_t bytes = 1 + random() % (random() % 16 ? 100'000 : 400'000);
        ASSERT_TRUE(publish(worker, bytes, value));
        published_hash += value;
      }
    });
  for (std::thread& worker : workers) worker.join();
  distributor_->finish(true);
  for (std::thread& thread : threads) thread.join();
  for (const auto& reader : readers) {
    EXPECT_EQ(reader->error, "");
    EXPECT_EQ(reader->batches, kBatches * kWorkers);
    EXPECT_EQ(reader->hash, published_hash.load());
  }
  EXPECT_EQ(control_->header().end.batches, kBatches * kWorkers);
  EXPECT_TRUE(distributor_->attendance().all_finished);
}

TEST_F(DistributorTest, ComingAndGoingHarmsNobody) {
  const std::uint64_t seed = testing::test_seed();
  Reader steady(pool_, *control_, *distributor_, attach(), seed);
  std::thread reading([&] { steady.read_to_the_end(); });
  std::atomic<bool> done{false};
  std::thread visitors([&] {
    std::mt19937_64 random(seed + 1);
    while (!done) {
      const auto seat = attach(random() % 2 ? StartAt::oldest : StartAt::now);
      StreamReader reader(*control_, seat->memory);
      StreamReader::Taken taken;
      for (unsigned i = 0; i < random() % 4; ++i) reader.take(taken);
      if (random() % 2) distributor_->detach(*seat);
      distributor_->forget(seat);
    }
  });
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(publish(0, 60'000, std::uint8_t(i)));
  done = true;
  visitors.join();
  distributor_->finish(true);
  reading.join();
  EXPECT_EQ(steady.error, "");
  EXPECT_EQ(steady.batches, 500u);
}

TEST_F(DistributorTest, AFullPoolWithoutConsumersWaitsAndIsCounted) {
  std::atomic<int> published{0};
  std::thread worker([&] {
    while (publish(0, kBlockBytes, 1)) ++published;
  });
  EXPECT_TRUE(testing::eventually([&] { return distributor_->starved(); }));
  EXPECT_EQ(published, int(kBlocks));
  EXPECT_TRUE(testing::eventually([&] { return distributor_->backpressure() > 1ms; }));
  distributor_->stop();
  worker.join();
  EXPECT_FALSE(distributor_->starved());
  EXPECT_EQ(publish(0, 1, 1).error().code, ECANCELED);
}

TEST_F(DistributorTest, ReuseWithoutConsumersNeverWaits) {
  distributor_->reuse_without_consumers(true);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(publish(0, kBlockBytes, 1));
  EXPECT_EQ(distributor_->backpressure(), 0ns);
  EXPECT_EQ(distributor_->attach({.label = "late"}).error().code, ENODATA);
  EXPECT_GE(distributor_->gone_rows(), 100u - kBlocks);
}

TEST_F(DistributorTest, RefusesWhatCannotFit) {
  EXPECT_EQ(publish(0, pool_.size() / 4 + 1, 1).error().code, EMSGSIZE);
  EXPECT_EQ(publish(0, 0, 1).error().code, EINVAL);
  EXPECT_TRUE(publish(0, pool_.size() / 4, 1));
}

TEST_F(DistributorTest, NamesWhoHoldsAFullPoolBack) {
  const auto slow = attach();
  std::thread worker([&] {
    while (publish(0, kBlockBytes, 1)) {
    }
  });
  ASSERT_TRUE(testing::eventually([&] { return distributor_->starved(); }));
  const auto statuses = distributor_->consumers();
  ASSERT_EQ(statuses.size(), 1u);
  EXPECT_TRUE(statuses[0].holding_back);
  EXPECT_EQ(statuses[0].held_batches, kBlocks);
  EXPECT_EQ(statuses[0].lag_rows, kBlocks);
  distributor_->forget(slow);
  EXPECT_TRUE(distributor_->starved()) << "nobody is there, so nothing is dropped";
  distributor_->stop();
  worker.join();
}

/// However many publishers find the pool full: one of them looks.
TEST_F(DistributorTest, AConsumerThatKeepsReadingIsSeldomAskedToKick) {
  constexpr unsigned kPublishers = 4, kEach = 60;
  Reader reader(pool_, *control_, *distributor_, attach(), 1);
  std::thread reading([&] { reader.read_to_the_end(); });
  std::vector<std::thread> workers;
  for (unsigned worker = 0; worker < kPublishers; ++worker)
    workers.emplace_back([&, worker] {
      for (unsigned i = 0; i < kEach; ++i) EXPECT_TRUE(publish(worker, kBlockBytes, std::uint8_t(i)));
    });
  for (std::thread& worker : workers) worker.join();
  distributor_->finish(true);
  reading.join();
  EXPECT_EQ(reader.error, "");
  EXPECT_EQ(reader.batches, kPublishers * kEach);
  EXPECT_LT(reader.kicks, kPublishers * kEach / 4);
}

/// Room for all comes with one kick, which wakes one; who has found some wakes the next. Otherwise they would
/// sleep to the end of their slices of 50 ms. The least of several rounds, for a machine that does other things.
TEST_F(DistributorTest, PublishersThatWaitHandTheRoomOn) {
  constexpr unsigned kPublishers = 4;
  using Clock = std::chrono::steady_clock;
  auto least = Clock::duration::max();
  const auto seat = attach();
  StreamReader reader(*control_, seat->memory);
  ReturnWriter<Atomics> returns = seat->memory.return_writer();
  for (unsigned round = 0; round < 8; ++round) {
    for (unsigned full = round == 0 ? 0 : kPublishers; full < kBlocks; ++full) ASSERT_TRUE(publish(0, kBlockBytes, 1));
    std::vector<std::thread> publishers;
    for (unsigned worker = 0; worker < kPublishers; ++worker)
      publishers.emplace_back([&, worker] { EXPECT_TRUE(publish(worker, kBlockBytes, 2)); });
    EXPECT_TRUE(testing::eventually([&] { return distributor_->starved(); }));
    std::this_thread::sleep_for(5ms);  // all of them wait, and not for much of their slice yet
    for (unsigned i = 0; i < kBlocks; ++i) {
      StreamReader::Taken taken;
      ASSERT_EQ(reader.take(taken), Taking::taken);
      returns.push({std::uint32_t(taken.descriptor.offset / kUnitBytes), std::uint32_t(taken.descriptor.sequence)});
    }
    const auto kicked = Clock::now();
    distributor_->drain(*seat);
    for (std::thread& publisher : publishers) publisher.join();
    least = std::min(least, Clock::now() - kicked);
  }
  EXPECT_LT(least, 25ms);
}

TEST_F(DistributorTest, ADetachedConsumersLeaseStaysAsItWas) {
  const auto seat = attach();
  ASSERT_TRUE(publish(0, kBlockBytes, 7));
  StreamReader reader(*control_, seat->memory);
  StreamReader::Taken taken;
  ASSERT_EQ(reader.take(taken), Taking::taken);
  distributor_->detach(*seat);
  EXPECT_FALSE(distributor_->settled(*seat));
  distributor_->reuse_without_consumers(true);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(publish(0, kBlockBytes, 9));
  EXPECT_EQ(pool_[taken.descriptor.offset], std::byte{7});
  seat->memory.return_writer().push({std::uint32_t(taken.descriptor.offset / kUnitBytes), 0});
  EXPECT_TRUE(distributor_->settled(*seat));
}

TEST_F(DistributorTest, EvictionLeavesWhatWasTakenAndShowsNothingElse) {
  const auto slow = attach();
  StreamReader reader(*control_, slow->memory);
  std::thread worker([&] {
    for (int i = 0; i < 60; ++i) EXPECT_TRUE(publish(0, kBlockBytes, std::uint8_t(i)));
  });
  ASSERT_TRUE(testing::eventually([&] { return distributor_->starved(); }));
  StreamReader::Taken taken;
  ASSERT_EQ(reader.take(taken), Taking::taken);
  EXPECT_TRUE(distributor_->watch_slow_consumers(std::nullopt).empty());
  distributor_->reuse_without_consumers(true);  // so that the worker can go on when it is gone
  std::vector<ConsumerStatus> evicted;
  ASSERT_TRUE(testing::eventually([&] {
    evicted = distributor_->watch_slow_consumers(200ms);
    return !evicted.empty();
  }));
  EXPECT_EQ(evicted[0].label, "reader");
  EXPECT_GE(evicted[0].holding_back_seconds, 0.2);
  EXPECT_GT(evicted[0].lag_rows, 0u);
  worker.join();
  EXPECT_TRUE(std::all_of(pool_.begin() + std::ptrdiff_t(taken.descriptor.offset),
                          pool_.begin() + std::ptrdiff_t(taken.descriptor.offset + taken.descriptor.length),
                          [](std::byte byte) { return byte == std::byte{0}; }))
      << "what it had taken was written over";
  EXPECT_EQ(reader.take(taken), Taking::revoked);
  EXPECT_TRUE(distributor_->dismissed(*slow));
  EXPECT_FALSE(distributor_->settled(*slow));
  slow->memory.return_writer().push({std::uint32_t(taken.descriptor.offset / kUnitBytes), 0});
  EXPECT_TRUE(distributor_->settled(*slow));
}

TEST_F(DistributorTest, AnEvictedConsumerThatClaimsTheWholePoolLosesIt) {
  const auto greedy = attach();
  StreamReader reader(*control_, greedy->memory);
  std::thread worker([&] {
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(publish(0, kBlockBytes, 1));
  });
  ASSERT_TRUE(testing::eventually([&] { return distributor_->starved(); }));
  StreamReader::Taken taken;
  for (std::uint32_t i = 0; i + 1 < kBlocks; ++i) ASSERT_EQ(reader.take(taken), Taking::taken);
  distributor_->reuse_without_consumers(true);
  ASSERT_TRUE(testing::eventually([&] { return !distributor_->watch_slow_consumers(100ms).empty(); }));
  worker.join();
}

/// However it goes: by leaving, or by being thrown out for another lie.
class GreedyTest : public DistributorTest, public ::testing::WithParamInterface<bool> {};

TEST_P(GreedyTest, WhoClaimsTheWholePoolAndGoesLosesIt) {
  const auto greedy = attach();
  for (std::uint32_t i = 0; i < kBlocks; ++i) ASSERT_TRUE(publish(0, kBlockBytes, 1));
  StreamReader reader(*control_, greedy->memory);
  StreamReader::Taken taken;
  while (reader.take(taken) == Taking::taken) {
  }
  if (GetParam()) {
    greedy->memory.return_writer().push({~0u, 0});
    distributor_->drain(*greedy);
    EXPECT_TRUE(distributor_->dismissed(*greedy));
  } else {
    distributor_->detach(*greedy);
  }
  distributor_->reuse_without_consumers(true);
  std::thread watchdog([&] {
    if (!testing::eventually([&] { return distributor_->batches() == 2 * kBlocks; })) distributor_->stop();
  });
  for (std::uint32_t i = 0; i < kBlocks; ++i) EXPECT_TRUE(publish(0, kBlockBytes, 2));
  watchdog.join();
}
INSTANTIATE_TEST_SUITE_P(LeavingOrThrownOut, GreedyTest, ::testing::Bool());

/// They would have the whole pool together, if each could keep as much as the largest batch has.
TEST_F(DistributorTest, SeveralThatClaimALittleMoreThanTheirGrantLoseIt) {
  std::vector<std::shared_ptr<Seat>> greedy{attach(), attach()};
  for (std::uint32_t i = 0; i < kBlocks; ++i) ASSERT_TRUE(publish(0, kBlockBytes, 1));
  for (const auto& seat : greedy) {
    StreamReader reader(*control_, seat->memory);
    auto returns = seat->memory.return_writer();
    StreamReader::Taken taken;
    for (std::uint32_t i = 0; reader.take(taken) == Taking::taken; ++i)
      if (i / 4 != (seat == greedy[0] ? 0u : 1u))
        returns.push({std::uint32_t(taken.descriptor.offset / kUnitBytes), std::uint32_t(taken.descriptor.sequence)});
    distributor_->detach(*seat);
    EXPECT_FALSE(distributor_->dismissed(*seat)) << "it is no liar that could be caught";
    EXPECT_TRUE(distributor_->settled(*seat));
  }
}

/// What was given back before the end, and nobody has looked at yet, is not counted as kept.
TEST_F(DistributorTest, WhoHasReadOnUnseenKeepsWhatItHas) {
  const auto brisk = attach();
  for (std::uint32_t i = 0; i < kBlocks; ++i) ASSERT_TRUE(publish(0, kBlockBytes, std::uint8_t(i)));
  StreamReader reader(*control_, brisk->memory);
  auto returns = brisk->memory.return_writer();
  StreamReader::Taken taken;
  for (std::uint32_t i = 0; i < kBlocks; ++i) {
    ASSERT_EQ(reader.take(taken), Taking::taken);
    if (i + 1 < kBlocks) returns.push({std::uint32_t(taken.descriptor.offset / kUnitBytes), i});
  }
  distributor_->detach(*brisk);
  EXPECT_FALSE(distributor_->settled(*brisk));
  returns.push({std::uint32_t(taken.descriptor.offset / kUnitBytes), kBlocks - 1});
  EXPECT_TRUE(distributor_->settled(*brisk));
}

TEST_F(DistributorTest, GrantsNeverReachTheLastQuarter) {
  std::vector<std::shared_ptr<Seat>> seats;
  std::vector<std::uint32_t> grants;
  for (int i = 0; i < 6; ++i) {
    seats.push_back(attach());
    grants.push_back(seats.back()->grant.blocks);
  }
  EXPECT_EQ(grants, (std::vector<std::uint32_t>{2, 2, 1, 1, 0, 0}));
  distributor_->forget(seats[0]);
  EXPECT_EQ(attach()->grant.blocks, 2u) << "what the dead had is granted again";
}

/// What a consumer could write on its own page, and no honest one would.
class LiarTest : public DistributorTest {
 protected:
  LiarTest() {
    liar_ = attach();
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(publish(0, 1000, std::uint8_t(i)));
  }
  /// After the lie: it is out, the other reader and the publisher go on.
  void expect_thrown_out() {
    distributor_->drain(*liar_);
    EXPECT_TRUE(distributor_->dismissed(*liar_));
    EXPECT_EQ(distributor_->attendance().attached, 0u);
    const auto honest = attach(StartAt::oldest);
    StreamReader reader(*control_, honest->memory);
    StreamReader::Taken taken;
    int batches = 0;
    while (reader.take(taken) == Taking::taken) ++batches;
    EXPECT_EQ(batches, 4);
  }
  std::shared_ptr<Seat> liar_;
};

TEST_F(LiarTest, ReturningWhatItDoesNotHold) {
  liar_->memory.return_writer().push({300, 0});
  expect_thrown_out();
}
TEST_F(LiarTest, ReturningBeyondThePool) {
  liar_->memory.return_writer().push({~0u, 0});
  expect_thrown_out();
}
TEST_F(LiarTest, ReturningTwice) {
  auto returns = liar_->memory.return_writer();
  returns.push({0, 0});
  returns.push({0, 0});
  expect_thrown_out();
}
TEST_F(LiarTest, ATailThatRunsAway) {
  liar_->memory.header().returned = 1'000'000;
  expect_thrown_out();
}
TEST_F(LiarTest, ATailThatGoesBack) {
  liar_->memory.header().returned = ~std::uint64_t{0};
  expect_thrown_out();
}
TEST_F(LiarTest, ACursorBeyondTheHead) {
  liar_->memory.cursor(0) = 1000;
  expect_thrown_out();
}
TEST_F(LiarTest, ACursorThatGoesBack) {
  liar_->memory.cursor(0) = 3;
  distributor_->drain(*liar_);
  liar_->memory.cursor(0) = 1;
  expect_thrown_out();
}
TEST_F(LiarTest, NoiseAllOverItsPage) {
  std::mt19937_64 random(testing::test_seed());
  auto* words = reinterpret_cast<Word64*>(&liar_->memory.header());
  for (std::size_t i = 0; i < consumer_bytes(2, 64) / 8; ++i) words[i] = random();
  expect_thrown_out();
}

}  // namespace
}  // namespace pwalk::ipc
