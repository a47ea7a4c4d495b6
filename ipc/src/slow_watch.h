#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace pwalk::ipc {

/// How long one consumer has held back a full pool. Pure: positions and times in,
/// durations out; not thread-safe.
///
/// A pool that is full is full in jerks: each batch given back lets one publisher
/// go on for a moment. So an episode ends only after kCalm without starvation. And
/// who reads steadily is not slow merely because the walk is faster: a consumer is
/// stuck for as long as it has not got past what was published when it was first
/// seen behind, that is, as one turn of the full pool takes it.
class SlowWatch {
 public:
  using Clock = std::chrono::steady_clock;
  using Positions = std::vector<std::uint64_t>;  ///< a sequence per lane

  static constexpr std::chrono::seconds kCalm{1};

  /// One look. `guilty`: publishers wait for room, and this consumer has it.
  void look(Clock::time_point now, bool guilty, const Positions& taken, const Positions& published);

  /// Since when it holds the scan back, give or take moments of room.
  Clock::duration holding_back(Clock::time_point now) const;
  /// How long it has not got past what there was.
  Clock::duration stuck(Clock::time_point now) const;

 private:
  std::optional<Clock::time_point> episode_since_, behind_since_;
  Clock::time_point last_guilty_{};
  Positions mark_;  ///< what was published at behind_since_
};

}  // namespace pwalk::ipc
