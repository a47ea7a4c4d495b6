#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "control_memory.h"

namespace pwalk::ipc {

/// Where a consumer's threads give batches back, and where it is known how much
/// it keeps pinned. Thread-safe, but for has_room() and taken(), which are for the
/// one thread that takes batches.
///
/// The grant: a batch may be lent out as a view of the pool while the blocks
/// pinned that way are within the share that the scanner granted; beyond it the
/// batch is copied and given back at once, so that a consumer that keeps every
/// batch for ever stalls nobody. A member of a group is granted everything, or
/// nothing if it is to copy; either way it gives a batch back when it is done.
class ReturnDesk {
 public:
  /// `own` must outlive it.
  ReturnDesk(const ConsumerMemory& own, std::uint64_t pool_bytes, std::uint32_t grant_blocks);

  /// Is there room in the return ring for what is lent out and one batch more?
  bool has_room();

  /// Lends the batch at [offset, offset + length) if the grant allows. Either way
  /// it must be given back.
  bool pin(std::uint64_t offset, std::uint32_t length);

  /// A batch was taken: its return is owed.
  void taken() { ++taken_; }
  /// Gives it back.
  void give_back(Return returned);
  /// The same for one that was pinned, of `length` bytes.
  void give_back_pinned(Return returned, std::uint32_t length);

 private:
  template <class Each>
  void each_block(std::uint64_t offset, std::uint32_t length, Each&& each);

  const ConsumerMemory& own_;
  std::uint64_t taken_ = 0, known_drained_ = 0;  ///< of the thread that takes
  std::mutex mutex_;                             ///< guards all below
  ReturnWriter<Atomics> ring_;
  std::vector<std::uint32_t> views_of_block_;
  std::uint32_t pinned_blocks_ = 0;
  const std::uint32_t grant_blocks_;
};

}  // namespace pwalk::ipc
