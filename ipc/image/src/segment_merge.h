#pragma once

#include <span>

#include "append_file.h"
#include "image_layout.h"

namespace pwalk::image {

/// Writes the segment that says what `segments` (neighbours, oldest first) say
/// together; pages are streamed, so memory does not depend on their size. The
/// batch table is appended as well. EIO: a page read back is not what was written.
Result<layout::SegmentRow> merge_segments(AppendFile& file, std::span<const layout::SegmentRow> segments);

/// Appends a batch table and completes `row` with its place.
Result<void> append_batch_table(AppendFile& file, std::span<const layout::BatchRow> table, layout::SegmentRow& row);

}  // namespace pwalk::image
