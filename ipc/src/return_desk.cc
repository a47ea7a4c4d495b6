#include "return_desk.h"

namespace pwalk::ipc {

ReturnDesk::ReturnDesk(const ConsumerMemory& own, std::uint64_t pool_bytes, std::uint32_t grant_blocks)
    : own_(own),
      ring_(own.return_writer()),
      views_of_block_(pool_bytes / kBlockBytes),
      grant_blocks_(grant_blocks) {}

bool ReturnDesk::has_room() const {
  const std::lock_guard lock(mutex_);
  // Acquire, pairs with the release in ReturnReader::drain. What the scanner has
  // not drained and what is still owed must fit together.
  const std::uint64_t drained = Atomics::load_acquire(own_.header().drained);
  return taken_ - drained < own_.return_slots();
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

void ReturnDesk::unpin(std::uint64_t offset, std::uint32_t length) {
  const std::lock_guard lock(mutex_);
  each_block(offset, length, [&](std::uint32_t& views) { pinned_blocks_ -= --views == 0; });
}

void ReturnDesk::taken() {
  const std::lock_guard lock(mutex_);
  ++taken_;
}

void ReturnDesk::give_back(Return returned) {
  const std::lock_guard lock(mutex_);
  ring_.push(returned);
}

}  // namespace pwalk::ipc
