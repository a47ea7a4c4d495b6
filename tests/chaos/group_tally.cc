#include "chaos/group_tally.h"

#include <fmt/format.h>

#include <algorithm>

namespace pwalk::ipc::chaos {

std::string group_name(unsigned number) { return fmt::format("group {}", number); }

std::string GroupTally::count(const BatchLease& lease, const FirstRows& first_rows) {
  const auto row = lease.view().column(schema::Column::inode).at<std::uint64_t>(0);
  const std::uint64_t worker = row / kWorkerStride;
  if (worker == kWorkers) return "";  // what a draining scanner fills its pool with
  if (worker > kWorkers) return fmt::format("row {} was never published", row);
  const auto& firsts = first_rows[worker];
  const auto found = std::find_if(firsts.begin(), firsts.end(),
                                  [&](const auto& first) { return first.load(std::memory_order_acquire) == row; });
  if (found == firsts.end()) return fmt::format("no batch begins with row {}", row);
  Deliveries& batch = batches_[worker][std::size_t(found - firsts.begin())];
  (lease.redelivered() ? batch.marked : batch.fresh).fetch_add(1, std::memory_order_relaxed);
  return "";
}

void GroupTally::follow(const GroupStatus& status) {
  if (status.dissolved) dissolved_ = true;
  done_batches_ = status.done_batches;
  redeliveries_ = status.redeliveries;
  poisoned_ = status.poisoned_batches;
}

std::string GroupTally::verdict(unsigned batches) const {
  if (dissolved_) return "";
  for (unsigned worker = 0; worker < kWorkers; ++worker)
    for (unsigned i = 0; i < kMostBatchesPerWorker; ++i) {
      const std::uint32_t fresh = batches_[worker][i].fresh, marked = batches_[worker][i].marked;
      if (fresh > 1) return fmt::format("batch {} of worker {} came {} times without a mark", i, worker, fresh);
      if (done() && i < batches && fresh + marked == 0)
        return fmt::format("batch {} of worker {} came to nobody", i, worker);
    }
  if (!done()) return "";
  if (done_batches_ != std::uint64_t{batches} * kWorkers || poisoned_ != 0)
    return fmt::format("{} batches done and {} given up of {}", done_batches_.load(), poisoned_.load(), batches * kWorkers);
  if (redelivered() > redeliveries_)
    return fmt::format("{} batches came marked, {} were taken back", redelivered(), redeliveries_.load());
  return "";
}

std::uint64_t GroupTally::redelivered() const {
  std::uint64_t sum = 0;
  for (const auto& worker : batches_)
    for (const Deliveries& batch : worker) sum += batch.marked;
  return sum;
}

}  // namespace pwalk::ipc::chaos
