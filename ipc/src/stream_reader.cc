#include "stream_reader.h"

namespace pwalk::ipc {

StreamReader::StreamReader(const ControlMemory& control, const ConsumerMemory& own)
    : control_(control), own_(own) {
  for (std::uint32_t number = 0; number < control.geometry().lanes; ++number) {
    next_.push_back(cursor_position(Atomics::load_relaxed(own.cursor(number))));
    if (next_.back() != 0) started_at_first_ = false;
  }
  start_ = next_;
  known_heads_ = next_;
}

Taking StreamReader::take(Taken& taken) {
  const std::uint32_t lanes = control_.geometry().lanes;
  for (std::uint32_t i = 0; i < lanes; ++i) {
    const std::uint32_t number = (turn_ + i) % lanes;
    const Taking outcome = lane(number).take(taken.descriptor, known_heads_[number]);
    if (outcome == Taking::empty) continue;
    if (outcome == Taking::taken) {
      taken.lane = number;
      taken.expected_sequence = next_[number]++;
      turn_ = (number + 1) % lanes;
    }
    return outcome;
  }
  return Taking::empty;
}

bool StreamReader::ready() const {
  for (std::uint32_t number = 0; number < control_.geometry().lanes; ++number)
    if (lane(number).ready()) return true;
  return false;
}

StreamState StreamReader::state() const {
  // Acquire, pairs with the release in Distributor::finish.
  return StreamState(Atomics::load_acquire(control_.header().state));
}

void StreamReader::revoke_all() {
  for (std::uint32_t number = 0; number < control_.geometry().lanes; ++number)
    revoke<Atomics>(own_.cursor(number));
}

}  // namespace pwalk::ipc
