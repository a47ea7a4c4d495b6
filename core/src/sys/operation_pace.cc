#include "sys/operation_pace.h"

#include <algorithm>

namespace pwalk::sys {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::uint64_t burst_of(std::uint64_t per_second) { return std::max<std::uint64_t>(1, per_second / 100); }

// After a burst of B turns N - B more fit into the same second if they are at least
// this far apart; rounded up, since this is a cap.
std::uint64_t interval_of(std::uint64_t per_second) {
  const std::uint64_t steps = std::max<std::uint64_t>(1, per_second - burst_of(per_second) + 1);
  return (kSecond + steps - 1) / steps;
}

}  // namespace

OperationPace::OperationPace(std::uint64_t per_second)
    : interval_ns_(interval_of(per_second)), tolerance_ns_((burst_of(per_second) - 1) * interval_ns_) {}

std::uint64_t OperationPace::reserve(std::uint64_t now_ns) {
  std::uint64_t due = reserved_until_ns_.load(std::memory_order_relaxed);
  while (!reserved_until_ns_.compare_exchange_weak(due, std::max(due, now_ns) + interval_ns_, std::memory_order_relaxed)) {
  }
  const std::uint64_t latest = now_ns + tolerance_ns_;
  return due > latest ? due - latest : 0;
}

std::uint64_t OperationPace::take(std::uint64_t now_ns) {
  const std::uint64_t latest = now_ns + tolerance_ns_;
  std::uint64_t due = due_ns_.load(std::memory_order_relaxed);
  do {
    if (due > latest) return due - latest;
  } while (!due_ns_.compare_exchange_weak(due, std::max(due, now_ns) + interval_ns_, std::memory_order_relaxed));
  return 0;
}

}  // namespace pwalk::sys
