#pragma once

#include <map>
#include <optional>
#include <string>

#include "batch_source.h"
#include "pwalk/image/results_filesystem.h"
#include "stream_tally.h"

namespace pwalk::ipc {

/// How far a reader is in each lane: the sequence of the next batch it wants. A lane
/// that is not in it is wanted from its first batch.
using LanePositions = std::map<std::uint32_t, std::uint64_t>;

/// An image as a stream of the batches it was built from, in the order in which they
/// were appended. Follows an image that grows until it is finished, or until nobody
/// builds it any more. One thread; leases as BatchLease says.
class ImageReplay : public BatchSource {
 public:
  /// Requires options.rank < options.world.
  ImageReplay(ResultsFilesystem image, const AttachOptions& options);
  /// What lies before `from` is left out, as somebody has read it already.
  ImageReplay(ResultsFilesystem image, const AttachOptions& options, LanePositions from);

  Result<std::optional<BatchLease>> next(std::chrono::milliseconds timeout) override;
  void detach() override { detached_ = true; }

  StreamEnd end() const override { return end_; }
  ConsumerStats stats() const override { return tally_.stats; }
  std::optional<ScanFigures> scan_figures() const override { return std::nullopt; }
  const std::string& scan_name() const override { return image_.facts().name; }
  pid_t scanner_pid() const override { return 0; }
  std::string image_file() const override { return image_.file(); }
  bool in_pool(const void* address) const override { return image_.is_mapped_at(address); }

  const ResultsFilesystem& image() const { return image_; }

 private:
  using Clock = std::chrono::steady_clock;

  bool wanted(std::uint64_t number) const;
  bool at_hand();
  Result<BatchLease> lend(std::uint64_t number);
  Result<bool> wait(Clock::time_point deadline);
  Result<void> look_again();
  Result<void> conclude(StreamEnd end);

  ResultsFilesystem image_;
  AttachOptions options_;
  LanePositions from_;
  std::uint64_t next_ = 0;         ///< number of the first batch not yet looked at
  bool from_first_ = true;
  bool writer_gone_ = false;       ///< before the newest commit was looked for
  StreamEnd end_ = StreamEnd::running;
  StreamTally tally_;
  std::optional<Error> failure_;   ///< nothing is read after one
  bool detached_ = false;
};

}  // namespace pwalk::ipc
