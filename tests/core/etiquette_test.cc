/// Caps, and what a walk asks of the servers of parallel file systems: the parts that need no file system.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>
#include <thread>

#include "stripe_layout.h"
#include "support/fuse/stripe_layout.h"
#include "sys/operation_pace.h"
#include "sys/paced_calls.h"
#include "worker_stats.h"

namespace pwalk {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

/// Most turns in any second that begins with one of them.
std::size_t most_in_a_second(const std::deque<std::uint64_t>& turns) {
  std::size_t most = 0;
  for (std::size_t first = 0, end = 0; first < turns.size(); ++first) {
    while (end < turns.size() && turns[end] < turns[first] + kSecond) ++end;
    most = std::max(most, end - first);
  }
  return most;
}

/// One caller who always takes the next turn as soon as he may.
std::deque<std::uint64_t> greedy_turns(sys::OperationPace& pace, std::uint64_t now, std::size_t count) {
  std::deque<std::uint64_t> turns;
  while (turns.size() < count) {
    if (const std::uint64_t wait = pace.take(now); wait > 0)
      now += wait;
    else
      turns.push_back(now);
  }
  return turns;
}

TEST(OperationPace, NoSecondHasMoreThanItsTurns) {
  for (const std::uint64_t per_second : {1, 2, 3, 7, 99, 100, 101, 250, 1000, 4321, 100'000}) {
    sys::OperationPace pace(per_second);
    const auto turns = greedy_turns(pace, 12345, per_second * 3 + 2);
    EXPECT_LE(most_in_a_second(turns), per_second);
    // Nor far fewer in the long run: what was asked for is used.
    const double seconds = double(turns.back() - turns.front()) / double(kSecond);
    EXPECT_LT(seconds, 3.2 + 2.0 / double(per_second)) << per_second;
  }
}

TEST(OperationPace, IdleTimeIsNotSavedUp) {
  sys::OperationPace pace(1000);
  auto turns = greedy_turns(pace, kSecond, 500);
  const auto later = greedy_turns(pace, turns.back() + 100 * kSecond, 3000);
  turns.insert(turns.end(), later.begin(), later.end());
  EXPECT_LE(most_in_a_second(turns), 1000u);
}

TEST(OperationPace, NeverWaitsWhileThereIsRoom) {
  sys::OperationPace pace(1000);
  for (std::uint64_t now = kSecond; now < 3 * kSecond; now += kSecond / 900) EXPECT_EQ(pace.take(now), 0u);
}

/// A machine where only sleeping takes time. One thread.
struct SimulatedCalls : sys::Calls {
  std::uint64_t monotonic_ns() const override { return now; }
  void sleep(std::chrono::nanoseconds span) const override { now += std::uint64_t(span.count()); }

  mutable std::uint64_t now = kSecond;
  mutable std::deque<std::uint64_t> made;
  mutable int interruptions = 0;

 protected:
  int take(int result) const {
    made.push_back(now);
    return interruptions > 0 ? (--interruptions, -EINTR) : result;
  }
  int open_once(const char*, int) const override { return take(3); }
  int openat_once(int, const char*, int) const override { return take(3); }
  long getdents_once(int, std::span<std::byte>) const override { return take(0); }
  int statx_once(int, const char*, int, unsigned, struct ::statx&) const override { return take(0); }
  int fstatat_once(int, const char*, int, struct ::stat&) const override { return take(0); }
  int seek_once(int, std::int64_t) const override { return take(0); }
  long readlinkat_once(int, const char*, std::span<char>) const override { return take(0); }
  long lgetxattr_once(const char*, const char*, std::span<std::byte>) const override { return take(0); }
  int ioctl_once(int, unsigned long, void*) const override { return take(0); }
  int project_by_name_once(int, const char*, std::uint32_t&) const override { return take(0); }
  int project_of_once(int, std::uint32_t&) const override { return take(0); }
};

void make_every_call(const sys::Calls& calls) {
  struct ::statx answer {};
  struct ::stat old {};
  std::array<std::byte, 64> bytes{};
  std::array<char, 64> text{};
  std::uint32_t project = 0;
  EXPECT_EQ(calls.open("/", 0), 3);
  EXPECT_EQ(calls.openat(3, "x", 0), 3);
  EXPECT_EQ(calls.getdents(3, bytes), 0);
  EXPECT_EQ(calls.statx(3, "x", 0, 0, answer), 0);
  EXPECT_EQ(calls.fstatat(3, "x", 0, old), 0);
  EXPECT_EQ(calls.seek(3, 0), 0);
  EXPECT_EQ(calls.readlinkat(3, "x", text), 0);
  EXPECT_EQ(calls.lgetxattr("x", "y", bytes), 0);
  EXPECT_EQ(calls.ioctl(3, 0, &project), 0);
  EXPECT_EQ(calls.project_by_name(3, "x", project), 0);
  EXPECT_EQ(calls.project_of(3, project), 0);
}

TEST(PacedCalls, CapEveryKindOfCallAndEachRepetition) {
  const SimulatedCalls simulated;
  const std::atomic<bool> stop{false};
  const sys::PacedCalls paced(simulated, 50, stop);
  simulated.interruptions = 30;
  for (int round = 0; round < 20; ++round) make_every_call(paced);
  EXPECT_EQ(simulated.made.size(), 20u * 11 + 30);
  EXPECT_LE(most_in_a_second(simulated.made), 50u);
}

TEST(PacedCalls, WaitingForATurnIsNotTheCallsLatency) {
  const SimulatedCalls simulated;
  const std::atomic<bool> stop{false};
  const sys::PacedCalls paced(simulated, 10, stop);
  struct ::statx answer {};
  const std::uint64_t before = paced.service_ns(), began = simulated.now;
  for (int i = 0; i < 20; ++i) paced.statx(3, "x", 0, 0, answer);
  EXPECT_GT(simulated.now - began, kSecond);
  EXPECT_EQ(paced.service_ns(), before);
}

TEST(PacedCalls, NobodyWaitsOnceTheWalkIsStopped) {
  const SimulatedCalls simulated;
  const std::atomic<bool> stop{true};
  const sys::PacedCalls paced(simulated, 1, stop);
  struct ::statx answer {};
  for (int i = 0; i < 100; ++i) paced.statx(3, "x", 0, 0, answer);
  EXPECT_EQ(simulated.now, kSecond);
}

TEST(OperationPace, WhoWakesUpLateTakesNoMoreThanTheCap) {
  sys::OperationPace pace(100);
  std::deque<std::uint64_t> turns;
  std::uint64_t now = kSecond;
  for (int sleeper = 0; sleeper < 90; ++sleeper) static_cast<void>(pace.reserve(now));
  for (now += kSecond; turns.size() < 300; now += kSecond / 1000)  // they all come at once, then others
    while (pace.take(now) == 0) turns.push_back(now);
  EXPECT_LE(most_in_a_second(turns), 100u);
}

TEST(OperationPace, IsSharedByThreads) {
  sys::OperationPace pace(1'000'000);
  std::array<std::vector<std::uint64_t>, 4> waits;
  std::array<unsigned, 4> taken{};
  std::vector<std::thread> threads;
  for (std::size_t own = 0; own < waits.size(); ++own)
    threads.emplace_back([&, own] {
      for (int i = 0; i < 50'000; ++i) waits[own].push_back(pace.reserve(kSecond)), taken[own] += pace.take(kSecond) == 0;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken[0] + taken[1] + taken[2] + taken[3], 10'000u);
  std::vector<std::uint64_t> all;
  for (const auto& own : waits) all.insert(all.end(), own.begin(), own.end());
  std::sort(all.begin(), all.end());
  // 10,000 at once, the rest one by one.
  EXPECT_EQ(std::upper_bound(all.begin(), all.end(), 0u) - all.begin(), 10'000);
  EXPECT_EQ(std::adjacent_find(all.begin() + 9'999, all.end()), all.end());
}

TEST(WorkingTime, TellsIdleFromParked) {
  WorkingTime time;
  EXPECT_EQ(time.at(50).total_ns, 0u);
  time.begin(100);
  time.begin_idle(200);
  EXPECT_EQ(time.at(250).idle_ns, 50u);
  time.end_idle(300);
  time.begin_absence(400);
  EXPECT_EQ(time.at(600).total_ns, 300u);
  time.end_absence(1000);
  time.end(1100);
  const WorkerTime whole = time.at(5000);
  EXPECT_EQ(whole.total_ns, 400u);
  EXPECT_EQ(whole.idle_ns, 100u);
  EXPECT_EQ(whole.efficiency(), 0.75);
}

std::optional<StripeLayout> parsed(const std::string& bytes) {
  // A copy of its own size, so that AddressSanitizer sees a read beyond it.
  const std::vector<char> copy(bytes.begin(), bytes.end());
  const auto layout = parse_lustre_layout(std::as_bytes(std::span(copy)));
  if (!layout) return std::nullopt;
  static std::string pool;
  pool = layout->pool;
  return StripeLayout{layout->count, layout->size, pool};
}

TEST(LustreLayout, IsReadInItsThreeForms) {
  const auto plain = parsed(fuse::lustre_layout(fuse::Layout::v1));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->count, 4u);
  EXPECT_EQ(plain->size, 1u << 20);
  EXPECT_EQ(plain->pool, "");
  for (const auto form : {fuse::Layout::v3, fuse::Layout::composite}) {
    const auto layout = parsed(fuse::lustre_layout(form));
    ASSERT_TRUE(layout);
    EXPECT_EQ(layout->count, 2u);
    EXPECT_EQ(layout->size, 4u << 20);
    EXPECT_EQ(layout->pool, "flash");
  }
}

TEST(LustreLayout, RefusesWhatIsDamaged) {
  for (const auto form : {fuse::Layout::none, fuse::Layout::cut_short, fuse::Layout::oversized_count, fuse::Layout::far_component})
    EXPECT_FALSE(parsed(fuse::lustre_layout(form))) << int(form);
  const std::string whole = fuse::lustre_layout(fuse::Layout::composite);
  for (std::size_t length = 0; length < whole.size(); ++length) EXPECT_FALSE(parsed(whole.substr(0, length))) << length;
}

TEST(LustreLayout, OfAnArchivedFileNeedsNoObjects) {
  std::string released = fuse::lustre_layout(fuse::Layout::v1).substr(0, 32);
  EXPECT_FALSE(parsed(released));
  const std::uint32_t pattern = 0x80000001;
  std::memcpy(released.data() + 4, &pattern, sizeof pattern);
  const auto layout = parsed(released);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->count, 4u);
}

TEST(LustreLayout, SurvivesAnyBytes) {
  const char* given = std::getenv("PWALK_TEST_SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 0) : std::random_device{}();
  SCOPED_TRACE("PWALK_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = fuse::lustre_layout(fuse::Layout(1 + random() % 3));
    for (auto changes = random() % 6; changes > 0; --changes) bytes[random() % bytes.size()] = char(random());
    if (random() % 2) bytes.resize(random() % (bytes.size() + 1));
    const auto layout = parsed(bytes);
    EXPECT_LE(layout ? layout->pool.size() : 0, 16u);
  }
}

}  // namespace
}  // namespace pwalk
