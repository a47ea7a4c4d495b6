#include "return_desk.h"

namespace pwalk::ipc {

ReturnDesk::ReturnDesk(const ConsumerMemory& own, std::uint64_t pool_bytes, std::uint32_t grant_blocks)
    : own_(own),
      ring_(own.return_writer()),
      views_of_block_(pool_bytes / kBlockBytes),
      grant_blocks_(grant_blocks) {}

/// What the scanner has not drained and what is still owed must fit together. Its word is looked
/// at again only when what it said last is not enough.
bool ReturnDesk::has_room() {
  if (taken_ - known_drained_ < own_.return_slots()) return true;
  // Acquire, pairs with the release in ReturnReader::drain.
  known_drained_ = Atomics::load_acquire(own_.header().drained);
  return taken_ - known_drained_ < own_.return_slots();
}

template <class Each>
void ReturnDesk::each_block(std::uint64_t offset, std::uint32_t length, Each&& each) {
  for (std::uint64_t block = offset / kBlockBytes; block <= (offset + length - 1) / kBlockBytes; ++block)
    each(views_of_block_[block]);
}

bool ReturnDesk::pin(std::uint64_t offset, std::uint32_t length) {
  const std::lock_guard lock(mutex_);
  std::uint32_t more = 0;
  each_block(offset, length, [&](std::uint32_t views) { more += views == 0; });
  if (more > grant_blocks_ - pinned_blocks_) return false;
  pinned_blocks_ += more;
  each_block(offset, length, [](std::uint32_t& views) { ++views; });
  return true;
}

void ReturnDesk::give_back(Return returned) {
  const std::lock_guard lock(mutex_);
  ring_.push(returned);
}

/// In this order: what is held is never more than what is counted as pinned.
void ReturnDesk::give_back_pinned(Return returned, std::uint32_t length) {
  const std::lock_guard lock(mutex_);
  ring_.push(returned);
  each_block(std::uint64_t{returned.unit} * kUnitBytes, length,
             [&](std::uint32_t& views) { pinned_blocks_ -= --views == 0; });
}

}  // namespace pwalk::ipc
