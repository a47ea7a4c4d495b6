#pragma once

#include <array>
#include <atomic>
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

 private:
  static constexpr std::size_t kFields = 9;
  static std::array<std::uint64_t ScanCounts::*, kFields> fields();
  std::array<std::atomic<std::uint64_t>, kFields> shown_{};
};

/// What one worker measures; read by anybody while it works.
struct alignas(kFalseSharingRange) WorkerStats {
  explicit WorkerStats(std::size_t roots) : tallies(roots) {}

  std::vector<RootTally> tallies;  ///< one per root
  LatencySampler<8> open, getdents;
  LatencySampler<64> statx;
  std::atomic<std::uint64_t> batches{0};  ///< relaxed, one writer
};

}  // namespace pwalk
