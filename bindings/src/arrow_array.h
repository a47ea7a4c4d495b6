#pragma once

#include <memory>

#include "arrow_schema.h"
#include "held_batch.h"

namespace pwalk::bindings {

/// A batch as an Arrow struct array of the schema that export_schema gives for the same columns and
/// text. Buffers point into the batch; only what Arrow cannot express that way is built: columns that
/// are constant in the batch, the directories' paths, and text that had to be mended.
///
/// Every part keeps the batch held by itself, so children may be moved out and outlive the whole, and
/// any thread may release them, with or without the GIL; in a forked child a release gives nothing
/// back. Errors: EINVAL, the batch lacks one of the columns; EOVERFLOW, text beyond 2^31 bytes.
Result<void> export_batch(const std::shared_ptr<const HeldBatch>& held, schema::ColumnSet columns,
                          ArrowText text, ArrowArray* out);

}  // namespace pwalk::bindings
