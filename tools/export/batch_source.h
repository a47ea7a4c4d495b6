#pragma once

#include <memory>
#include <optional>
#include <string>

#include "pwalk/base/result.h"
#include "pwalk/image/results_filesystem.h"
#include "pwalk/ipc/consumer.h"

namespace pwalk::tools {

/// Every batch of a scan, each once: out of its image, or as it is published. One thread.
class BatchSource {
 public:
  /// The image that `scan` means (see ipc::open_image), else the live scan. Errors: ENOENT, EMLINK
  /// (the message is the whole line), and those of opening.
  static Result<BatchSource> open(const std::string& scan);

  /// The next batch, valid until the next call; nullptr at the end. Waits for a live
  /// scan. Errors: EINTR, told to stop; those of the image or of the consumer.
  Result<const schema::EntryBatchView*> next();

  /// The name of the scan.
  const std::string& name() const;
  /// Read to the end, the scan had been stopped before its own.
  bool cut_short() const;
  /// Rows and directory records with an errno so far.
  std::uint64_t errors() const;

 private:
  BatchSource() = default;

  std::optional<ResultsFilesystem> image_;
  std::uint64_t number_ = 0;  ///< of the image's next batch
  std::optional<ipc::Consumer> consumer_;
  std::optional<ipc::BatchLease> lease_;
};

}  // namespace pwalk::tools
