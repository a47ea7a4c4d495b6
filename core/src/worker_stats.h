#pragma once

#include <array>
#include <atomic>
#include <cerrno>
#include <vector>

#include "latency_histogram.h"
#include "pwalk/base/cache_line.h"
#include "pwalk/scan_stats.h"

namespace pwalk {

/// Counts of one worker under one root. The worker counts in `mine`, a plain
/// struct, and shows it to others now and then: nothing shared is touched per entry.
class alignas(kFalseSharingRange) RootTally {
 public:
  ScanCounts mine;  ///< the worker's own

  /// By the worker. Relaxed: a reader in between may see fields of two moments.
  void show();
  /// Any thread: as of the last show().
  ScanCounts shown() const;

  /// By the worker: it queued a directory of this root; it is done with one.
  void push_directory() { add_one(pushed_, std::memory_order_relaxed); }
  void finish_directory() { add_one(finished_, std::memory_order_release); }
  /// Any thread. Read all workers' finished() first, then pushed(): where the sums
  /// are equal nothing of the root is outstanding (see Frontier).
  std::uint64_t pushed() const { return pushed_.load(std::memory_order_relaxed); }
  std::uint64_t finished() const { return finished_.load(std::memory_order_acquire); }

 private:
  static constexpr std::size_t kFields = 9;
  static std::array<std::uint64_t ScanCounts::*, kFields> fields();
  static void add_one(std::atomic<std::uint64_t>& counter, std::memory_order order) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, order);  // one writer
  }
  std::array<std::atomic<std::uint64_t>, kFields> shown_{};
  std::atomic<std::uint64_t> pushed_{0}, finished_{0};
};

/// How long a worker was there, and how long of it without work. One writer, any readers.
class WorkingTime {
 public:
  void begin(std::uint64_t now_ns) { began_.store(now_ns, std::memory_order_relaxed); }
  void end(std::uint64_t now_ns) { ended_.store(now_ns, std::memory_order_relaxed); }

  /// What waits between the two has no work.
  void begin_idle(std::uint64_t now_ns) { idle_since_.store(now_ns, std::memory_order_relaxed); }
  void end_idle(std::uint64_t now_ns) {
    const std::uint64_t since = idle_since_.load(std::memory_order_relaxed);
    idle_.store(idle_.load(std::memory_order_relaxed) + (now_ns - since), std::memory_order_relaxed);
    idle_since_.store(0, std::memory_order_relaxed);
  }

  /// What waits between the two was sent away and counts for nothing.
  void begin_absence(std::uint64_t now_ns) { absent_since_.store(now_ns, std::memory_order_relaxed); }
  void end_absence(std::uint64_t now_ns) {
    const std::uint64_t since = absent_since_.load(std::memory_order_relaxed);
    absent_.store(absent_.load(std::memory_order_relaxed) + (now_ns - since), std::memory_order_relaxed);
    absent_since_.store(0, std::memory_order_relaxed);
  }

  /// Up to `now_ns`, or its end. Relaxed throughout: a reader may be a wait late.
  WorkerTime at(std::uint64_t now_ns) const;

 private:
  std::atomic<std::uint64_t> began_{0}, ended_{0}, idle_{0}, idle_since_{0}, absent_{0}, absent_since_{0};
};

/// What one worker measures; read by anybody while it works.
struct alignas(kFalseSharingRange) WorkerStats {
  explicit WorkerStats(std::size_t roots) : tallies(roots) {}

  std::vector<RootTally> tallies;  ///< one per root
  LatencySampler<8> open, getdents;
  LatencySampler<64> statx;
  WorkingTime time;
  std::atomic<std::uint64_t> distress{0};  ///< time-outs and I/O errors; relaxed, one writer

  void note_failure(int error) {
    if (error != ETIMEDOUT && error != EIO && error != EREMOTEIO) return;
    distress.store(distress.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  std::atomic<std::uint64_t> batches{0};  ///< relaxed, one writer
  std::atomic<std::uint64_t> repeated_directories{0};  ///< likewise
};

}  // namespace pwalk
