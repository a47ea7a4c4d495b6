#pragma once

#include <atomic>
#include <cstdint>

namespace pwalk::sys {

/// A token bucket over time, as GCRA (ITU-T I.371): no second, wherever it begins, has
/// more than `per_second` turns. A hundredth of them may come at once, so that who
/// wakes up late does not lose them. Lock-free; any number of threads.
///
/// Two steps: reserve() spreads those who wait over the time ahead, so that they do not
/// all wake up for the same turn; take() is the cap, since who sleeps may wake up late,
/// together with others. Times are ns of one clock that does not go back.
class OperationPace {
 public:
  explicit OperationPace(std::uint64_t per_second);

  /// How long to sleep before asking for a turn.
  std::uint64_t reserve(std::uint64_t now_ns);

  /// Takes a turn now: 0. Else how long until there may be one.
  std::uint64_t take(std::uint64_t now_ns);

 private:
  const std::uint64_t interval_ns_;   ///< between two turns in the long run
  const std::uint64_t tolerance_ns_;  ///< how far turns may run ahead of that
  // When the turn after the last one is due. Relaxed: they order nothing else.
  std::atomic<std::uint64_t> reserved_until_ns_{0}, due_ns_{0};
};

}  // namespace pwalk::sys
