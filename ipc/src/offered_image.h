#pragma once

#include <optional>

#include "pwalk/image/results_filesystem.h"
#include "pwalk/ipc/consumer.h"
#include "scan_lookup.h"

namespace pwalk::ipc {

/// The image that a running scan says is being built of it, open.
struct OfferedImage {
  ResultsFilesystem image;
  bool goes_on = false;  ///< who is evicted may read on in it
};

/// Asks the scan. None: there is no image, or it cannot be opened from here, or the scan
/// does not answer; or the consumer reads only a share of the lanes, which the image's order
/// of batches knows nothing of. Errors: EINTR alone.
Result<std::optional<OfferedImage>> offered_image(const FoundScan& scan, const AttachOptions& options);

}  // namespace pwalk::ipc
