#pragma once

#include "control_memory.h"
#include "group_memory.h"
#include "stream_reader.h"

namespace pwalk::ipc {

/// A member's side of its group: claims batches, in turn from each lane, and says
/// when it is done. conclude() by any thread, the rest by one.
class GroupReader {
 public:
  /// Both must outlive it.
  GroupReader(const ControlMemory& control, const GroupMemory& ledger, std::uint32_t member)
      : control_(control), ledger_(ledger), member_(member) {}

  /// taken, empty, or revoked: the group was closed, and nothing of it is seen again.
  Taking take(StreamReader::Taken& taken, ClaimTicket& ticket);

  /// Is there perhaps anything to claim, or to learn that there never will be?
  bool ready() const;
  GroupState state() const {
    // Acquire, pairs with the release in Distributor.
    return GroupState(Atomics::load_acquire(ledger_.header().state));
  }

  /// False: the batch was given to another member meanwhile.
  bool conclude(std::uint32_t lane, const ClaimTicket& ticket) const {
    return ledger_.lane(lane).conclude(ticket);
  }

 private:
  const ControlMemory& control_;
  const GroupMemory& ledger_;
  const std::uint32_t member_;
  std::uint32_t turn_ = 0;
};

}  // namespace pwalk::ipc
