#include "group_reader.h"

namespace pwalk::ipc {

Taking GroupReader::take(StreamReader::Taken& taken, ClaimTicket& ticket) {
  const ScanGeometry& geometry = control_.geometry();
  if (state() == GroupState::closed) return Taking::revoked;
  for (std::uint32_t i = 0; i < geometry.lanes; ++i) {
    const std::uint32_t number = (turn_ + i) % geometry.lanes;
    // Acquire, pairs with the release in LaneWriter::publish: the slot's words, the
    // batch's bytes, and its word in the ledger.
    const std::uint64_t head = Atomics::load_acquire(control_.head(number));
    const Slot* ring = control_.ring(number);
    const bool mine = ledger_.lane(number).claim(member_, head, ticket, [&](std::uint64_t sequence) {
      taken.descriptor = read_slot<Atomics>(ring[sequence & (geometry.slots - 1)]);
    });
    if (!mine) continue;
    taken.lane = number;
    taken.expected_sequence = ticket.sequence;
    turn_ = (number + 1) % geometry.lanes;
    return Taking::taken;
  }
  return Taking::empty;
}

bool GroupReader::ready() const {
  if (state() == GroupState::closed) return true;
  for (std::uint32_t number = 0; number < control_.geometry().lanes; ++number)
    if (ledger_.lane(number).ready(Atomics::load_acquire(control_.head(number)))) return true;
  return false;
}

}  // namespace pwalk::ipc
