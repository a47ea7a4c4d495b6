#pragma once

#include <memory>
#include <string>

#include "column_array.h"

namespace pwalk::bindings {

/// A batch as Python's Batch holds it: usable until released. Needs the GIL.
class BatchHandle {
 public:
  explicit BatchHandle(Held held) : held_(std::move(held)) {}

  /// The batch. Raises ValueError after release(), PwalkError for a lease in a forked child.
  const Held& held() const;
  const schema::EntryBatchView& view() const { return held()->view(); }

  /// Gives the batch back. BufferError while an array points into it. Idempotent.
  void release();
  BatchHandle copy() const;

 private:
  Held held_;
};

}  // namespace pwalk::bindings
