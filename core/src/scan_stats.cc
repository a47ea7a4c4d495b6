#include "pwalk/scan_stats.h"

#include <algorithm>

#include "saturated.h"
#include "worker_stats.h"

namespace pwalk {

std::array<std::uint64_t ScanCounts::*, RootTally::kFields> RootTally::fields() {
  return {&ScanCounts::entries, &ScanCounts::files,  &ScanCounts::directories, &ScanCounts::symlinks, &ScanCounts::others,
          &ScanCounts::errors,  &ScanCounts::vanished, &ScanCounts::skipped,     &ScanCounts::bytes};
}

void ScanCounts::add(const ScanCounts& other) {
  entries += other.entries;
  files += other.files;
  directories += other.directories;
  symlinks += other.symlinks;
  others += other.others;
  errors += other.errors;
  vanished += other.vanished;
  skipped += other.skipped;
  bytes = saturated_sum(bytes, other.bytes);
}

WorkerTime WorkingTime::at(std::uint64_t now_ns) const {
  const std::uint64_t began = began_.load(std::memory_order_relaxed);
  if (began == 0) return {};
  const std::uint64_t ended = ended_.load(std::memory_order_relaxed);
  const std::uint64_t until = ended != 0 ? ended : std::max(now_ns, began);
  const auto up_to_now = [until](const auto& sum, const auto& since) {
    const std::uint64_t from = since.load(std::memory_order_relaxed);
    return sum.load(std::memory_order_relaxed) + (from != 0 && from < until ? until - from : 0);
  };
  const std::uint64_t total = until - began - std::min(until - began, up_to_now(absent_, absent_since_));
  return {total, std::min(total, up_to_now(idle_, idle_since_))};
}

void RootTally::show() {
  std::size_t at = 0;
  for (const auto field : fields()) shown_[at++].store(mine.*field, std::memory_order_relaxed);
}

ScanCounts RootTally::shown() const {
  ScanCounts counts;
  std::size_t at = 0;
  for (const auto field : fields()) counts.*field = shown_[at++].load(std::memory_order_relaxed);
  return counts;
}

}  // namespace pwalk
