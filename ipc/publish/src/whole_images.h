#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "image_conclusion.h"
#include "pwalk/publish/publisher.h"

namespace pwalk::publish {

/// Images of a scan whose consumers get only a part of it: the walk's threads append every batch
/// themselves. A failure ends that image, never the walk. Thread-safe.
class WholeImages {
 public:
  explicit WholeImages(std::vector<ImageJob> jobs);

  /// The bytes are copied before this returns. After finish() nothing is taken.
  void append(const schema::EntryBatchView& batch);

  /// Makes what was appended readable, if that is due.
  void commit_if_due();

  /// The stream has ended. Once; takes as long as the device.
  std::vector<ImageOutcome> finish(bool complete);
  /// Of images that a thread in finish() is left behind with. Waits for nothing.
  std::vector<ImageOutcome> give_up() const;

 private:
  struct Job {
    std::optional<ImageJob> image;  ///< none once it has failed or is finished
    ImageOutcome outcome;
  };
  static void end(Job& job, const Result<void>& built);

  std::vector<ImageNames> names_;  // written by the constructor alone
  std::mutex mutex_;
  std::vector<Job> jobs_;          // guarded by mutex_, as is sequence_
  std::uint64_t sequence_ = 0;
};

}  // namespace pwalk::publish
