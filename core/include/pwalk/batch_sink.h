#pragma once

#include <cstddef>

#include "pwalk/base/result.h"
#include "pwalk/schema/entry_batch_builder.h"

namespace pwalk {

/// Where a walk's batches go: the seam between core and ipc.
class BatchSink {
 public:
  virtual ~BatchSink() = default;

  /// Takes one batch; the bytes are copied before it returns. Called by any
  /// worker, concurrently; `worker` is its number from 0. Blocks while there is
  /// no room. Errors: ECANCELED, the sink was stopped and the batch is not taken;
  /// EMSGSIZE, larger than max_batch_bytes().
  virtual Result<void> accept(unsigned worker, const schema::FinishedBatch& batch) = 0;

  /// No batch above this is ever taken.
  virtual std::size_t max_batch_bytes() const = 0;
};

}  // namespace pwalk
