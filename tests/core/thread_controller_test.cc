#include "thread_controller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>

namespace pwalk {
namespace {

using Bounds = ThreadController::Bounds;
using Window = ThreadController::Window;

std::uint64_t test_seed() {
  const char* given = std::getenv("PWALK_TEST_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

/// A server in a closed loop with its clients: a call takes `latency_ns` until more
/// than `capacity` calls per second are wanted, then they queue. Beyond `thrash`
/// clients each further one costs throughput. What is measured is off by `noise`.
struct Server {
  double latency_ns = 500'000;
  double capacity = 100'000;
  double thrash = 1e9;
  double noise = 0.02;

  double rate(double clients) const {
    const double lost = clients > thrash ? thrash / clients : 1;
    return std::min(clients * 1e9 / latency_ns, capacity * lost);
  }
};

/// Walks with what the controller says; keeps the books over simulated time.
class Simulation {
 public:
  Simulation(const Bounds& bounds, std::uint64_t seed) : bounds_(bounds), controller_(bounds), random_(seed) {}

  void run(const Server& server, double seconds, double work = 1) {
    for (double left = seconds * 1e9; left > 0;) {
      const unsigned threads = controller_.threads();
      const double clients = std::max(1.0, threads * work);
      Window window;
      window.span_ns = controller_.window_ns();
      const double rate = server.rate(clients);
      const double done = rate * double(window.span_ns) / 1e9;
      window.calls = std::uint64_t(done * noisy(server));
      window.latency_ns = std::uint64_t(clients * 1e9 / rate * noisy(server));
      window.busy = unsigned(clients);
      calls_ += done;
      spent_ns_ += double(window.span_ns);
      left -= double(window.span_ns);
      controller_.step(window);
      EXPECT_GE(controller_.threads(), bounds_.least);
      EXPECT_LE(controller_.threads(), bounds_.most);
      most_ = std::max(most_, controller_.threads());
    }
  }

  void forget() { calls_ = spent_ns_ = 0, most_ = 0; }
  double rate() const { return calls_ / spent_ns_ * 1e9; }
  unsigned threads() const { return controller_.threads(); }
  unsigned most() const { return most_; }

 private:
  double noisy(const Server& server) {
    return std::uniform_real_distribution<double>(1 - server.noise, 1 + server.noise)(random_);
  }

  const Bounds bounds_;
  ThreadController controller_;
  std::mt19937_64 random_;
  double calls_ = 0, spent_ns_ = 0;
  unsigned most_ = 0;
};

class ThreadControllerTest : public ::testing::Test {
 protected:
  const std::uint64_t seed_ = test_seed();
  const ::testing::ScopedTrace trace_{__FILE__, __LINE__, "PWALK_TEST_SEED=" + std::to_string(seed_)};
};

TEST_F(ThreadControllerTest, ClimbsWhileItPays) {
  Simulation network({1, 32, 256}, seed_);
  const Server far{2'000'000, 1e9};  // no limit of its own
  network.run(far, 1);
  EXPECT_EQ(network.most(), 256u);
  EXPECT_GT(network.rate(), 0.9 * 256 / 0.002);
}

TEST_F(ThreadControllerTest, SettlesNearTheKneeWithFewCallsWaiting) {
  Simulation network({1, 32, 256}, seed_);
  const Server server{500'000, 100'000};  // knee at 50
  network.run(server, 2);
  network.forget();
  network.run(server, 10);
  EXPECT_GT(network.rate(), 0.93 * server.capacity);
  EXPECT_LE(network.threads(), 72u);
  EXPECT_LE(network.most(), 80u);
}

TEST_F(ThreadControllerTest, ComesDownWhereMoreCompleteLess) {
  Simulation network({1, 32, 256}, seed_);
  const Server weak{500'000, 20'000, 16};  // 10 clients saturate it, 32 halve it
  network.run(weak, 3);
  network.forget();
  network.run(weak, 5);
  EXPECT_LE(network.threads(), 20u);
  EXPECT_GT(network.rate(), 0.8 * weak.capacity);
}

TEST_F(ThreadControllerTest, FollowsAServerThatChanges) {
  Simulation network({1, 32, 256}, seed_);
  const Server slow{500'000, 40'000}, fast{500'000, 200'000};
  for (const Server& now : {slow, fast, slow}) {
    network.run(now, 10);
    network.forget();
    network.run(now, 10);
    EXPECT_GT(network.rate(), 0.85 * now.capacity);
    EXPECT_LE(network.most(), 2.5 * now.capacity * now.latency_ns / 1e9);
  }
}

TEST_F(ThreadControllerTest, LearnsNothingWhileWorkIsScarce) {
  Simulation network({1, 32, 256}, seed_);
  network.run({}, 5, 0.2);
  EXPECT_EQ(network.threads(), 32u);
}

TEST_F(ThreadControllerTest, AWarmCacheKeepsOneThreadPerCpu) {
  ThreadController local({1, 2, 8});
  Window window{10'000'000, 12'000, 0, 2, false};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(local.step(window), 2u);
  // A cold part of the tree, where twice as many read twice as much:
  window.calls_sleep = true;
  for (int i = 0; i < 5; ++i) window.busy = local.threads(), window.calls = 1000 * local.threads(), local.step(window);
  EXPECT_EQ(local.threads(), 8u);
  window.calls_sleep = false;
  EXPECT_EQ(local.step(window), 2u);
}

TEST_F(ThreadControllerTest, HalvesInDistress) {
  ThreadController network({4, 32, 256});
  Window window{10'000'000, 1000, 500'000, 32};
  window.distress = true;
  EXPECT_EQ(network.step(window), 16u);
  EXPECT_EQ(network.step(window), 8u);
  EXPECT_EQ(network.step(window), 4u);
  EXPECT_EQ(network.step(window), 4u);
}

TEST_F(ThreadControllerTest, StaysWithinItsBoundsWhateverItIsTold) {
  std::mt19937_64 random(seed_);
  for (int round = 0; round < 200; ++round) {
    const unsigned least = 1 + unsigned(random() % 8), start = least + unsigned(random() % 32);
    const Bounds bounds{least, start, start + unsigned(random() % 64)};
    ThreadController controller(bounds);
    for (int i = 0; i < 200; ++i) {
      const Window window{random() >> (random() % 64), random() >> (random() % 64), random() >> (random() % 64),
                          unsigned(random() % 256), random() % 4 != 0, random() % 16 == 0};
      controller.step(window);
      ASSERT_GE(controller.threads(), bounds.least);
      ASSERT_LE(controller.threads(), bounds.most);
      ASSERT_GT(controller.window_ns(), 0u);
      ASSERT_LE(controller.window_ns(), 1'000'000'000u);
    }
  }
}

}  // namespace
}  // namespace pwalk
