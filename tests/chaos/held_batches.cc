#include "chaos/held_batches.h"

#include <fmt/format.h>

#include <thread>

#include "pwalk/schema/row_hash.h"

namespace pwalk::ipc::chaos {

std::string HeldBatches::keep(BatchLease lease, const Habits& habits, std::mt19937_64& random) {
  const std::uint64_t hash = schema::hash_rows(lease.view());
  held_.push_back({std::move(lease), hash});
  if (habits.pause_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(habits.pause_us));
  return held_.size() > habits.hold ? drop_one(random) : "";
}

std::string HeldBatches::look(const Held& held) {
  if (schema::hash_rows(held.lease.view()) == held.hash) return "";
  return fmt::format("batch {} of lane {} changed while it was held", held.lease.sequence(), held.lease.lane());
}

std::string HeldBatches::drop_one(std::mt19937_64& random) {
  const auto which = held_.begin() + std::ptrdiff_t(random() % held_.size());
  const std::string wrong = look(*which);
  held_.erase(which);
  return wrong;
}

std::string HeldBatches::drop_all() {
  std::string wrong;
  for (const Held& held : held_)
    if (wrong.empty()) wrong = look(held);
  held_.clear();
  return wrong;
}

}  // namespace pwalk::ipc::chaos
