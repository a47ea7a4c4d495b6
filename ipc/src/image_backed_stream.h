#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "consumer_session.h"
#include "image_replay.h"
#include "stream_tally.h"

namespace pwalk::ipc {

/// A scan that runs and whose image is being built, read from both: from the image what
/// the lanes do not have any more, from the lanes what is new.
///
/// ```
///   lanes ── evicted ──► image, from where each lane was left
///     ▲                    │ everything committed was read
///     │                    ▼
///     └── read so far ◄── image, and attached to the lanes at the oldest batch that is there:
///         covers that      from here on nothing gets lost, and the image catches up
/// ```
/// Each delivered batch moves its lane's position; a batch below it was delivered and is
/// passed over, and the lanes are not read before every lane's position has reached what
/// they have. So there is no gap and no double, and the end's figures prove it. One thread,
/// but for what BatchSource says.
class ImageBackedStream : public BatchSource {
 public:
  /// Begins in the lanes, at the session's start, which is as `options` say.
  ImageBackedStream(std::shared_ptr<ConsumerSession> session, ResultsFilesystem image, const AttachOptions& options);
  /// Begins in the image, at its first batch, for `missed`: what the lanes say to a
  /// newcomer, in case the image ends early.
  ImageBackedStream(ResultsFilesystem image, const AttachOptions& options, Error missed);

  Result<std::optional<BatchLease>> next(std::chrono::milliseconds timeout) override;
  void detach() override;

  StreamEnd end() const override { return end_; }
  ConsumerStats stats() const override;
  std::optional<ScanFigures> scan_figures() const override;
  const std::string& scan_name() const override { return scan_name_; }
  pid_t scanner_pid() const override;
  std::string image_file() const override { return {}; }
  bool in_pool(const void* address) const override;

 private:
  using Clock = std::chrono::steady_clock;

  bool in_lanes() const { return !replay_; }
  Result<std::optional<BatchLease>> next_of_lanes(Clock::time_point deadline);
  Result<std::optional<BatchLease>> next_of_image(Clock::time_point deadline);
  Result<std::optional<BatchLease>> deliver(BatchLease lease);
  void go_to_image();
  Result<void> go_to_lanes_if_covered();
  Result<void> attach_to_lanes();
  bool covered() const;
  Result<void> conclude(StreamEnd end);
  EndFigures image_figures() const;
  Result<void> check_against(const EndFigures& said);
  bool seen(const BatchLease& lease) const;
  std::shared_ptr<ConsumerSession> session() const;
  void set_session(std::shared_ptr<ConsumerSession> session);
  tl::unexpected<Error> failed(Error error);

  const AttachOptions options_;
  AttachOptions inner_;  ///< without columns, which are left out on delivery, after counting
  std::string scan_name_;
  mutable std::mutex current_;  ///< guards session_ and image_, which any thread may ask about
  std::shared_ptr<ConsumerSession> session_;  ///< null: not attached
  ResultsFilesystem image_;
  std::optional<ImageReplay> replay_;  ///< set while the image is read
  LanePositions positions_;            ///< of what was delivered
  StreamTally tally_;
  bool handed_over_ = false;           ///< the image was read; before, the session counts
  bool from_first_ = true;
  Error without_image_;                ///< what is said if the image ends early and the lanes do not go back far enough
  Clock::time_point next_attempt_{};
  StreamEnd end_ = StreamEnd::running;
  std::optional<Error> failure_;
  bool detached_ = false;
};

}  // namespace pwalk::ipc
