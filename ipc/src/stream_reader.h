#pragma once

#include <cstdint>
#include <vector>

#include "control_memory.h"

namespace pwalk::ipc {

/// A consumer's side of the lanes: takes descriptors in lane order, in turn from
/// each lane. On mapped memory alone: no descriptors, no clock. One thread.
class StreamReader {
 public:
  /// Both must outlive it.
  StreamReader(const ControlMemory& control, const ConsumerMemory& own);

  struct Taken {
    std::uint32_t lane = 0;
    std::uint64_t expected_sequence = 0;  ///< what its descriptor must say
    BatchDescriptor descriptor;
  };
  Taking take(Taken& taken);

  /// Is there anything to take?
  bool ready() const;
  /// Once it is not running, all heads are final and end_figures() is right.
  StreamState state() const;
  EndFigures end_figures() const { return control_.header().end; }
  bool started_at_first() const { return started_at_first_; }
  /// Per lane, the first sequence.
  const std::vector<std::uint64_t>& start() const { return start_; }

  /// Ends reading for good; the scanner sees it.
  void revoke_all();

 private:
  LaneReader<Atomics> lane(std::uint32_t number) const {
    return {control_.head(number), control_.ring(number), control_.geometry().slots, own_.cursor(number)};
  }

  const ControlMemory& control_;
  const ConsumerMemory& own_;
  std::vector<std::uint64_t> next_;  ///< per lane, private: what the cursor should be
  std::vector<std::uint64_t> known_heads_;  ///< per lane; no newer than the head
  std::vector<std::uint64_t> start_;
  std::uint32_t turn_ = 0;
  bool started_at_first_ = true;
};

}  // namespace pwalk::ipc
