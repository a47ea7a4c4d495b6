#include "held_batch.h"

#include <cstring>
#include <utility>

namespace pwalk::bindings {

HeldBatch::HeldBatch(ipc::BatchLease lease)
    : lease_(std::move(lease)), lane_(lease_.lane()), sequence_(lease_.sequence()), redelivered_(lease_.redelivered()) {}

HeldBatch::HeldBatch(AlignedBytes bytes, schema::EntryBatchView view, const HeldBatch& original)
    : copy_bytes_(std::move(bytes)),
      copy_view_(std::move(view)),
      lane_(original.lane_),
      sequence_(original.sequence_),
      redelivered_(original.redelivered_) {}

Result<std::shared_ptr<const HeldBatch>> HeldBatch::copy_of(const HeldBatch& original) {
  const auto from = original.view().bytes();
  AlignedBytes bytes(static_cast<std::byte*>(::operator new(from.size(), kAlignment)));
  std::memcpy(bytes.get(), from.data(), from.size());
  auto view = schema::EntryBatchView::check({bytes.get(), from.size()});
  if (!view) return tl::unexpected(view.error());
  return std::shared_ptr<const HeldBatch>(
      new HeldBatch(std::move(bytes), *std::move(view), original));
}

}  // namespace pwalk::bindings
