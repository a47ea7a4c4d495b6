#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <memory>
#include <thread>

#include "distributor.h"
#include "group_books.h"
#include "group_reader.h"
#include "ipc/scan_fixture.h"
#include "ipc/single_step.h"
#include "lane_ring.h"
#include "pwalk/ipc/consumer.h"
#include "return_ring.h"
#include "stream_reader.h"

/// Killed, or stopped, after any instruction: a scanner that publishes, admits or evicts; a consumer that attaches, takes,
/// gives back or detaches; a member that claims and concludes.
namespace pwalk::ipc {
namespace {

using namespace std::chrono_literals;
using testing::BatchSource;
using testing::kill_everywhere;
using testing::kill_points;
using testing::RowTally;
using testing::RuntimeDirectory;
using testing::ServedScan;
using testing::SteppedChild;
using testing::stop_everywhere;

constexpr auto at_once = [] {};

// ---- members and consumers, on the words alone ------------------------------

constexpr std::uint32_t kLedgerSlots = 8;
constexpr GroupRules kRules{.lease = 1s, .attempts = 2};

TEST(SingleStepTest, AMemberKilledWhileItClaimsAndConcludesLosesNothing) {
  std::optional<GroupMemory> memory;
  std::vector<std::uint32_t> released;
  std::optional<GroupBooks> books;
  const auto prepare = [&] {
    books.reset();
    released.clear();
    memory.emplace(*GroupMemory::create({.lanes = 1, .slots = kLedgerSlots}));
    books.emplace(*memory, std::vector<std::uint64_t>{0},
                  [&](std::uint32_t unit, std::uint64_t) { released.push_back(unit); });
    for (std::uint32_t i = 0; i < 2; ++i) books->open(0, i, i, 1);
  };
  const auto member = [&] {
    for (int i = 0; i < 2; ++i) {
      ClaimTicket ticket;
      if (memory->lane(0).claim(1, 2, ticket, [](std::uint64_t) {})) memory->lane(0).conclude(ticket);
    }
    return 0;
  };
  const auto check = [&] {
    books->member_gone(1, kRules);
    const std::uint64_t done = books->figures().concluded, again = books->figures().redelivered;
    std::uint64_t taken = 0, marked = 0;
    for (ClaimTicket ticket; memory->lane(0).claim(2, 2, ticket, [](std::uint64_t) {}); ++taken) {
      marked += ticket.redelivered();
      EXPECT_TRUE(memory->lane(0).conclude(ticket));
      books->returned(2, 0, ticket.sequence);
    }
    EXPECT_EQ(done + taken, 2u);
    EXPECT_EQ(marked, again);
    EXPECT_TRUE(books->released());
    EXPECT_EQ(released.size(), 2u);
  };
  kill_everywhere(kill_points(), prepare, at_once, member, check);
}

/// A consumer's words as they lie in shared memory.
struct Stream {
  Word64 head, cursor, returned, drained;
  Slot ring[4];
  Word64 returns[4];
};

TEST(SingleStepTest, AConsumerKilledWhileItTakesAndGivesBackIsNeverAskedForMoreThanItTook) {
  auto* stream = static_cast<Stream*>(
      ::mmap(nullptr, sizeof(Stream), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(stream, MAP_FAILED);
  const auto prepare = [&] {
    *reinterpret_cast<std::array<std::uint64_t, sizeof(Stream) / 8>*>(stream) = {};
    LaneWriter<Atomics> lane(stream->head, stream->ring, 4);
    for (std::uint64_t i = 0; i < 2; ++i) lane.publish({.sequence = i, .offset = i * kUnitBytes, .length = 1});
  };
  const auto consumer = [&] {
    LaneReader<Atomics> lane(stream->head, stream->ring, 4, stream->cursor);
    ReturnWriter<Atomics> back(stream->returned, stream->returns, 4);
    std::uint64_t known_head = 0;
    for (BatchDescriptor batch; lane.take(batch, known_head) == Taking::taken;)
      back.push({std::uint32_t(batch.offset / kUnitBytes), std::uint32_t(batch.sequence)});
    return 0;
  };
  const auto check = [&] {
    const std::uint64_t taken = revoke<Atomics>(stream->cursor);
    std::uint64_t given_back = 0;
    ReturnReader<Atomics> back(stream->returned, stream->drained, stream->returns, 4);
    EXPECT_TRUE(back.drain([&](Return returned) { EXPECT_EQ(returned.unit, given_back++); }));
    EXPECT_LE(given_back, taken);
    EXPECT_LE(taken, given_back + 1) << "it holds one batch at most";
  };
  kill_everywhere(kill_points(), prepare, at_once, consumer, check);
  ::munmap(stream, sizeof(Stream));
}

// ---- the scanner ------------------------------------------------------------

constexpr std::uint32_t kBlocks = 8;
constexpr ScanGeometry kGeometry{.lanes = 2, .slots = 256, .return_slots = 64, .pool_bytes = kBlocks * kBlockBytes, .scan_id = {}};

/// A pool that a forked scanner shares with its parent, as it does with consumers; its books it has to itself.
class SharedScan {
 public:
  SharedScan() : control_(*ControlMemory::create(kGeometry)) {
    void* memory = ::mmap(nullptr, kGeometry.pool_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    pool_ = {static_cast<std::byte*>(memory), kGeometry.pool_bytes};
    distributor = std::make_unique<Distributor>(pool_, control_, kGeometry.pool_bytes);
    distributor->reuse_without_consumers(true);  // after an eviction nobody is there
  }
  SharedScan(const SharedScan&) = delete;
  SharedScan& operator=(const SharedScan&) = delete;
  ~SharedScan() {
    distributor.reset();
    ::munmap(pool_.data(), pool_.size());
  }
  const ControlMemory& control() const { return control_; }

  std::shared_ptr<Seat> attach(const std::string& group = "") { return distributor->attach({.group = group})->seat; }

  /// Every byte of it, and its hash, are `value`.
  bool publish(unsigned worker, std::size_t bytes, std::uint8_t value) {
    const std::vector<std::byte> filled(bytes, std::byte{value});
    return bool(distributor->publish(worker, {.bytes = filled, .rows = 1, .content_hash = value}));
  }
  bool is_whole(const BatchDescriptor& batch) const {
    const auto bytes = pool_.subspan(batch.offset, batch.length);
    return std::all_of(bytes.begin(), bytes.end(), [&](std::byte byte) { return byte == std::byte(batch.content_hash); });
  }

  std::unique_ptr<Distributor> distributor;

 private:
  ControlMemory control_;
  std::span<std::byte> pool_;
};

/// A number that a child and its parent share; release and acquire.
class SharedCount {
 public:
  SharedCount()
      : word_(new (::mmap(nullptr, sizeof(Word64), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Word64(0)) {}
  SharedCount(const SharedCount&) = delete;
  SharedCount& operator=(const SharedCount&) = delete;
  ~SharedCount() { ::munmap(word_, sizeof(Word64)); }
  void operator=(std::uint64_t value) { word_->store(value, std::memory_order_release); }
  operator std::uint64_t() const { return word_->load(std::memory_order_acquire); }

 private:
  Word64* word_;
};

TEST(SingleStepTest, AScannerKilledWhileItPublishesLeavesWholeBatchesAndAllThatItSaid) {
  constexpr std::uint64_t kBatches = 2;
  std::unique_ptr<SharedScan> scan;
  std::shared_ptr<Seat> reader, member;
  SharedCount published;
  const auto prepare = [&] {
    reader.reset(), member.reset();
    scan = std::make_unique<SharedScan>();
    reader = scan->attach(), member = scan->attach("loaders");
    published = 0;
  };
  const auto scanner = [&] {
    for (std::uint64_t i = 0; i < kBatches; ++i) {
      if (!scan->publish(unsigned(i), 300, std::uint8_t(i + 1))) return 1;
      published = i + 1;
    }
    scan->distributor->finish(true);
    return 0;
  };
  const auto check = [&] {
    StreamReader lanes(scan->control(), reader->memory);
    const StreamState state = lanes.state();  // before the lanes, as a consumer does it
    std::uint64_t seen = 0, hashes = 0;
    for (StreamReader::Taken taken; lanes.take(taken) == Taking::taken; ++seen) {
      EXPECT_EQ(taken.descriptor.sequence, taken.expected_sequence);
      EXPECT_TRUE(scan->is_whole(taken.descriptor));
      hashes += taken.descriptor.content_hash;
    }
    EXPECT_GE(seen, published);
    EXPECT_LE(seen, std::min(kBatches, published + 1));
    if (state == StreamState::complete) {
      EXPECT_EQ(seen, kBatches);
      EXPECT_EQ(lanes.end_figures().batches, kBatches);
      EXPECT_EQ(lanes.end_figures().content_hash, hashes);
    }
    GroupReader claims(scan->control(), member->group->memory, member->member);
    std::uint64_t claimed = 0;
    ClaimTicket ticket;
    for (StreamReader::Taken taken; claims.take(taken, ticket) == Taking::taken; ++claimed) {
      EXPECT_TRUE(scan->is_whole(taken.descriptor));
      EXPECT_FALSE(ticket.redelivered());
    }
    EXPECT_EQ(claimed, seen) << "a member sees what everybody sees";
  };
  kill_everywhere(kill_points(), prepare, at_once, scanner, check);
}

/// Publishes until the pool is full of what `seat` has not read, and waits for room in a thread of its own.
std::thread begin_to_wait(SharedScan& scan) {
  std::thread publisher([&scan] {
    for (std::uint8_t value = 1; scan.publish(0, kBlockBytes, value); ++value)
      if (value == 4 * kBlocks) scan.distributor->stop();
  });
  testing::eventually([&] { return scan.distributor->starved(); });
  return publisher;
}

TEST(SingleStepTest, AScannerKilledWhileItEvictsLeavesBatchesWholeOrNotToBeTaken) {
  std::unique_ptr<SharedScan> scan;
  std::shared_ptr<Seat> slow;
  const auto prepare = [&] {
    slow.reset();
    scan = std::make_unique<SharedScan>();
    slow = scan->attach();
  };
  const auto ready = [&] { begin_to_wait(*scan).detach(); };
  const auto scanner = [&] { return scan->distributor->watch_slow_consumers(0ns).size() == 1 ? 0 : 1; };
  const auto check = [&] {
    StreamReader lanes(scan->control(), slow->memory);
    for (StreamReader::Taken taken; lanes.take(taken) == Taking::taken;) {
      EXPECT_EQ(taken.descriptor.sequence, taken.expected_sequence);
      EXPECT_TRUE(scan->is_whole(taken.descriptor)) << "written over although it could be taken";
    }
  };
  kill_everywhere(kill_points(), prepare, ready, scanner, check);
}

/// Stopped after any instruction of taking a batch, evicted, the whole pool written over several times as far as it
/// may be, and continued: it has a batch that stays whole, or it has none.
TEST(SingleStepTest, AReaderEvictedInTheMiddleOfATakeHasAWholeBatchOrNone) {
  std::unique_ptr<SharedScan> scan;
  std::shared_ptr<Seat> slow;
  std::thread publisher;
  const auto prepare = [&] {
    slow.reset();
    scan = std::make_unique<SharedScan>();
    slow = scan->attach();
    for (std::uint8_t value = 1; value <= kBlocks; ++value) scan->publish(0, kBlockBytes, value);
  };
  const auto reader = [&] {
    StreamReader lanes(scan->control(), slow->memory);
    StreamReader::Taken taken;
    const Taking outcome = lanes.take(taken);
    testing::end_of_steps();
    if (outcome != Taking::taken) return 0;
    return taken.descriptor.sequence == taken.expected_sequence && scan->is_whole(taken.descriptor) ? 0 : 1;
  };
  const auto evict_meanwhile = [&](SteppedChild& child) {
    publisher = begin_to_wait(*scan);
    EXPECT_EQ(scan->distributor->watch_slow_consumers(0ns).size(), 1u);
    publisher.join();
    EXPECT_EQ(child.exit_code(), 0);
  };
  stop_everywhere(kill_points(), prepare, at_once, reader, evict_meanwhile);
}

// ---- a consumer, with the socket --------------------------------------------

long open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

/// A scan in this process, somebody who reads it, and consumers that are killed beside it.
class SingleStepBesideTest : public ::testing::Test {
 protected:
  SingleStepBesideTest() : witness_(*Consumer::attach({.scan = "home"})) {
    publish(3);
    before_ = open_descriptors();
  }
  void publish(int batches) {
    for (int i = 0; i < batches; ++i) ASSERT_TRUE(scan_->publish(unsigned(i), source_.make(50)));
    for (; tally_.rows() < source_.rows_made();) tally_.add((**witness_.next(10s)).view());
  }
  /// Nothing is left of the dead, and the witness goes on.
  void check() {
    EXPECT_TRUE(testing::eventually([&] { return scan_->consumers().size() == 1; }));
    // Fewer, if the scan's thread had not closed all of the witness's when they were counted.
    EXPECT_TRUE(testing::eventually([&] { return open_descriptors() <= before_; }));
    EXPECT_EQ(scan_->attendance().attached, 1u);
    publish(1);
    EXPECT_EQ(scan_->consumers().at(0).held_batches, 0u);
    EXPECT_EQ(tally_.missing_or_doubled(source_.rows_made()), "");
  }
  static Result<Consumer> attach() { return Consumer::attach({.scan = "home", .timeout = 10s, .start = StartAt::oldest}); }

  RuntimeDirectory runtime_;
  ServedScan scan_{"home"};
  BatchSource source_;
  RowTally tally_;
  Consumer witness_;
  long before_ = 0;
};


/// What others see of attaching is what it asks the kernel for: so at each entrance and each exit.
TEST_F(SingleStepBesideTest, AConsumerKilledAtAnySystemCallOfAttachingIsForgotten) {
  unsigned stops = 0;
  for (bool through = false; !through && !HasFailure(); ++stops) {
    {
      SteppedChild child(at_once, [] { return attach() ? 0 : 1; });
      if (!child.traced()) GTEST_SKIP() << "no process may be traced here";
      for (unsigned i = 0; i < stops; ++i) through = !child.to_next_system_call();
    }
    check();
    ASSERT_LT(stops, 2000u);
  }
  EXPECT_GT(stops, 20u) << "that was not all of attaching";
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which make it many times as many instructions
TEST_F(SingleStepBesideTest, AConsumerKilledAtAnyInstructionOfAttachingIsForgotten) {
  const auto consumer = [] { return attach() ? 0 : 1; };
  kill_everywhere(kill_points(3), at_once, at_once, consumer, [&] { check(); });
}
#endif

TEST_F(SingleStepBesideTest, AConsumerKilledAtAnyInstructionOfDetachingIsForgotten) {
  std::optional<Consumer> consumer;
  std::optional<BatchLease> held;
  const auto ready = [&] {
    consumer = *attach();
    held = **consumer->next(10s);
  };
  const auto leave = [&] {
    consumer->detach();
    held->release();
    return 0;
  };
  kill_everywhere(kill_points(), at_once, ready, leave, [&] { check(); });
}

}  // namespace
}  // namespace pwalk::ipc
