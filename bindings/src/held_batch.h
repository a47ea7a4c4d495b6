#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "fork_guard.h"
#include "pwalk/ipc/batch_lease.h"

namespace pwalk::bindings {

/// One batch whose bytes stay where they are as long as this lives: a lease of the pool, or a copy
/// on the heap. Immutable and shared by everything that points into it (numpy's capsules, Arrow's
/// private data), so the last of those, on whichever thread, gives the batch back.
class HeldBatch {
 public:
  explicit HeldBatch(ipc::BatchLease lease);
  HeldBatch(const HeldBatch&) = delete;
  HeldBatch& operator=(const HeldBatch&) = delete;

  /// The same rows on the heap. Errors: those of EntryBatchView::check, which the copy passes again.
  static Result<std::shared_ptr<const HeldBatch>> copy_of(const HeldBatch& original);

  const schema::EntryBatchView& view() const { return lease_ ? lease_.view() : copy_view_; }
  std::uint32_t lane() const { return lane_; }
  std::uint64_t sequence() const { return sequence_; }
  /// Another member of the group had it before.
  bool redelivered() const { return redelivered_; }
  /// True for a lease seen from a forked child: its bytes may change at any time.
  bool is_stale() const { return lease_ && guard_.in_forked_child(); }

 private:
  struct FreeAligned {
    void operator()(std::byte* bytes) const { ::operator delete(bytes, kAlignment); }
  };
  using AlignedBytes = std::unique_ptr<std::byte, FreeAligned>;
  static constexpr std::align_val_t kAlignment{64};  // what EntryBatchView::check asks for

  HeldBatch(AlignedBytes bytes, schema::EntryBatchView view, const HeldBatch& original);

  ForkGuard guard_;
  ipc::BatchLease lease_;
  AlignedBytes copy_bytes_;
  schema::EntryBatchView copy_view_;  ///< empty while `lease_` has the bytes
  std::uint32_t lane_;
  std::uint64_t sequence_;
  bool redelivered_;
};

}  // namespace pwalk::bindings
