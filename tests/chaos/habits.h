#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace pwalk::ipc::chaos {

struct RoundPlan;

/// How one consumer behaves, by its dice.
struct Habits {
  unsigned hold = 0;              ///< batches that it keeps while it takes more
  unsigned pause_us = 0;          ///< after each batch
  std::uint64_t leave_after = 0;  ///< batches
  /// A newcomer to the scan finds it there or gone; those of the beginning may have to wait until it is made.
  std::chrono::milliseconds patience_for_scan{0};
  std::chrono::milliseconds patience{0};  ///< for the next batch
};

/// `number` is among all consumers of the round.
Habits habits_of(const RoundPlan& plan, unsigned number, std::mt19937_64& random);

}  // namespace pwalk::ipc::chaos
