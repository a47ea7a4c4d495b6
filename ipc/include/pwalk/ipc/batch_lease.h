#pragma once

#include <cstdint>
#include <memory>

#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::ipc {

class ConsumerSession;
class ImageBackedStream;
class ImageReplay;

/// One batch, held. Its bytes stay as they are until the last copy of the lease
/// is gone, also after the Consumer is gone and after the scanner
/// has ended or died. Copying shares it. Any thread may drop it, in any order:
/// the drop gives the batch back to the scanner without waiting and without a
/// system call unless the scanner is starved. In a forked child a drop does
/// nothing. The bytes lie in the pool while what is held there is within the share
/// granted at attaching; beyond it they are a copy on the heap, so that holding
/// batches for ever stalls nobody. In a group dropping it says that the batch is done,
/// and until then its block stays in the pool, where another member finds it if this one
/// dies. Batches of an image lie in its mapping.
class BatchLease {
 public:
  BatchLease() = default;

  const schema::EntryBatchView& view() const { return held_->view; }
  std::uint32_t lane() const { return held_->lane; }
  std::uint64_t sequence() const { return held_->sequence; }
  /// Another member of the group had it and did not finish: it may have been worked on before.
  bool redelivered() const { return held_->redelivered; }

  explicit operator bool() const { return held_ != nullptr; }
  void release() { held_.reset(); }

 private:
  friend class ConsumerSession;
  friend class ImageBackedStream;
  friend class ImageReplay;
  struct Held {
    std::shared_ptr<ConsumerSession> session;  ///< keeps the pool's mapping; null if nothing is to be given back
    schema::EntryBatchView view;
    std::uint32_t lane = 0;
    std::uint32_t unit = 0, length = 0;  ///< where it lies in the pool
    std::uint64_t sequence = 0;
    std::uint64_t claim = 0;   ///< a group's: its word in the ledger while this lease holds it
    bool redelivered = false;
    bool pinned = false;       ///< its blocks count as pinned
    std::shared_ptr<const std::byte> copy;  ///< set: the bytes are not in the pool
    Held() = default;
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held();
  };
  /// Of a lease that nobody else has yet.
  void limit_to(schema::ColumnSet columns) {
    const_cast<Held&>(*held_).view = held_->view.limited_to(columns);  // made by us, not const
  }

  std::shared_ptr<const Held> held_;
};

}  // namespace pwalk::ipc
