#pragma once

#include <sched.h>

#include <utility>

/// Where threads run, and how far apart two CPUs are. A virtual machine's host
/// moves them, so a figure without its distance says nothing.
namespace pwalk::bench {

enum class Distance { near, far };

/// About 60 ns where two cores share a cache, 120 to 250 ns across a mesh or a socket.
constexpr double kNearBelowNs = 100;
/// Probes that differ by more than this factor are of two placements.
constexpr double kSamePlacement = 1.6;
constexpr Distance distance_of(double one_way_ns) { return one_way_ns < kNearBelowNs ? Distance::near : Distance::far; }
const char* word_for(Distance distance);

/// The first two CPUs this process may use; the same one twice if it has no more.
std::pair<int, int> two_cpus();
/// The calling thread, and what it starts.
void run_on(int cpu);
void run_anywhere();
/// Back to where the thread ran before, at the end of a scope; what it started meanwhile stays free.
class Unpinned {
 public:
  Unpinned();
  Unpinned(const Unpinned&) = delete;
  Unpinned& operator=(const Unpinned&) = delete;
  ~Unpinned();

 private:
  cpu_set_t before_;
};
/// Real-time priority, so that other work of the machine stays out. False: not permitted.
bool run_in_real_time();

/// Two threads pass a word to and fro for some milliseconds; the median in ns, one way.
double probe_distance(std::pair<int, int> cpus);

}  // namespace pwalk::bench
