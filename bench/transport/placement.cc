#include "placement.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "board.h"

namespace pwalk::bench {
namespace {

cpu_set_t everything_allowed() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof set, &set);
  return set;
}
const cpu_set_t kAllowed = everything_allowed();

constexpr std::uint64_t kBursts = 40, kPassesPerBurst = 250;

struct Ball {
  alignas(128) std::atomic<std::uint64_t> there{0};  ///< release by the one, acquire by the other
  alignas(128) std::atomic<std::uint64_t> back{0};
};

void await(const std::atomic<std::uint64_t>& word, std::uint64_t value) {
  while (word.load(std::memory_order_acquire) != value) {
  }
}

}  // namespace

const char* word_for(Distance distance) { return distance == Distance::near ? "near" : "far"; }

std::pair<int, int> two_cpus() {
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE && cpus.size() < 2; ++cpu)
    if (CPU_ISSET(cpu, &kAllowed)) cpus.push_back(cpu);
  return {cpus.front(), cpus.back()};
}

void run_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

void run_anywhere() { ::sched_setaffinity(0, sizeof kAllowed, &kAllowed); }

Unpinned::Unpinned() {
  ::sched_getaffinity(0, sizeof before_, &before_);
  run_anywhere();
}
Unpinned::~Unpinned() { ::sched_setaffinity(0, sizeof before_, &before_); }

bool run_in_real_time() {
  sched_param priority{};
  priority.sched_priority = 10;
  return ::sched_setscheduler(0, SCHED_FIFO, &priority) == 0;
}

double probe_distance(std::pair<int, int> cpus) {
  Ball ball;
  const std::uint64_t passes = kBursts * kPassesPerBurst;
  std::thread other([&] {
    run_on(cpus.second);
    run_in_real_time();
    for (std::uint64_t pass = 1; pass <= passes; ++pass) {
      await(ball.there, pass);
      ball.back.store(pass, std::memory_order_release);
    }
  });
  std::vector<double> bursts;
  std::thread self([&] {
    run_on(cpus.first);
    run_in_real_time();
    std::uint64_t pass = 0;
    for (std::uint64_t burst = 0; burst < kBursts; ++burst) {
      const std::int64_t began = now_ns();
      for (std::uint64_t i = 0; i < kPassesPerBurst; ++i) {
        ball.there.store(++pass, std::memory_order_release);
        await(ball.back, pass);
      }
      bursts.push_back(double(now_ns() - began) / kPassesPerBurst / 2);
    }
  });
  self.join();
  other.join();
  std::nth_element(bursts.begin(), bursts.begin() + bursts.size() / 2, bursts.end());
  return bursts[bursts.size() / 2];
}

}  // namespace pwalk::bench
