#include "image_backed_stream.h"

#include <fmt/format.h>

#include <algorithm>

namespace pwalk::ipc {
namespace {

using std::chrono::milliseconds;

/// A wait that may be longer is as long, and does not overflow the clock.
constexpr std::chrono::hours kForEver{24 * 365};
/// Between two looks at an image whose committed batches have all been read.
constexpr milliseconds kSlice{50};
/// Between two attempts to attach to the lanes.
constexpr milliseconds kBetweenAttempts{200};

/// How the lanes are attached to again: by the name under which the scan was found. A root's
/// path could lead to another scan by now.
AttachOptions inner_options(AttachOptions options, const std::string& scan_name) {
  const auto slash = options.scan.find('/');
  if (slash == std::string::npos || slash == 0) options.scan = scan_name;
  options.start = StartAt::oldest;
  options.timeout = {};
  options.columns.reset();
  return options;
}

milliseconds left_until(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
  return std::max(left, milliseconds::zero());
}

}  // namespace

ImageBackedStream::ImageBackedStream(std::shared_ptr<ConsumerSession> session, ResultsFilesystem image,
                                     const AttachOptions& options)
    : options_(options),
      inner_(inner_options(options, session->scan_name())),
      scan_name_(session->scan_name()),
      session_(std::move(session)),
      image_(std::move(image)) {
  for (std::uint32_t lane = 0; lane < session_->start().size(); ++lane) {
    positions_[lane] = session_->start()[lane];
    from_first_ &= positions_[lane] == 0;
  }
}

ImageBackedStream::ImageBackedStream(ResultsFilesystem image, const AttachOptions& options, Error missed)
    : options_(options),
      inner_(inner_options(options, image.facts().name)),
      scan_name_(image.facts().name),
      image_(std::move(image)),
      handed_over_(true),
      without_image_(std::move(missed)) {
  replay_.emplace(image_, inner_, positions_);
}

Result<std::optional<BatchLease>> ImageBackedStream::next(milliseconds timeout) {
  if (failure_) return tl::unexpected(*failure_);
  if (detached_) return fail(ENOTCONN, "the consumer has detached");
  const auto deadline = Clock::now() + std::min<milliseconds>(timeout, kForEver);
  for (bool first = true; end_ == StreamEnd::running && (first || Clock::now() < deadline); first = false) {
    auto batch = in_lanes() ? next_of_lanes(deadline) : next_of_image(deadline);
    if (!batch || *batch) return batch;
  }
  return std::nullopt;
}

// ---- lanes ------------------------------------------------------------------

Result<std::optional<BatchLease>> ImageBackedStream::next_of_lanes(Clock::time_point deadline) {
  for (;;) {
    auto batch = session_->next(left_until(deadline));
    if (!batch && session_->evicted()) {
      without_image_ = batch.error();
      go_to_image();
      return std::nullopt;
    }
    if (!batch && batch.error().code == EINTR) return batch;
    if (!batch) return failed(batch.error());
    if (*batch && seen(**batch)) continue;
    if (*batch) return deliver(**std::move(batch));
    if (session_->end() == StreamEnd::running) return std::nullopt;
    if (auto fine = conclude(session_->end()); !fine) return tl::unexpected(fine.error());
    return std::nullopt;
  }
}

void ImageBackedStream::go_to_image() {
  if (!handed_over_) tally_.stats = session_->stats();
  handed_over_ = true;
  session_->detach();
  set_session(nullptr);
  replay_.emplace(image_, inner_, positions_);
}

// ---- image ------------------------------------------------------------------

/// While nothing is committed that we have not read: attaches to the lanes, so that the
/// scan waits for us from here on, and then waits for the image to reach them.
Result<std::optional<BatchLease>> ImageBackedStream::next_of_image(Clock::time_point deadline) {
  auto batch = replay_->next(milliseconds::zero());
  if (!batch && batch.error().code == EINTR) return batch;
  if (!batch) return failed(batch.error());
  if (*batch) return deliver(**std::move(batch));
  {
    const std::lock_guard lock(current_);
    image_ = replay_->image();
  }
  if (replay_->end() == StreamEnd::complete || replay_->end() == StreamEnd::cut_short) {
    if (auto fine = conclude(replay_->end()); !fine) return tl::unexpected(fine.error());
    return std::nullopt;
  }
  if (auto gone = go_to_lanes_if_covered(); !gone) return tl::unexpected(gone.error());
  if (in_lanes() || end_ != StreamEnd::running) return std::nullopt;
  batch = replay_->next(std::min(left_until(deadline), kSlice));
  if (!batch && batch.error().code == EINTR) return batch;
  if (!batch) return failed(batch.error());
  return *batch ? deliver(**std::move(batch)) : std::nullopt;
}

/// Over to the lanes, once they begin no later than we are. An image that nobody builds
/// any more while they do not is the end.
Result<void> ImageBackedStream::go_to_lanes_if_covered() {
  const bool abandoned = replay_->end() == StreamEnd::scanner_died;
  if (auto tried = attach_to_lanes(); !tried) return tried;
  if (session_ && covered()) {
    replay_.reset();
    return {};
  }
  if (!abandoned) return {};
  if (!session_ || session_->scanner_dead()) return conclude(StreamEnd::scanner_died);
  return failed({without_image_.code, without_image_.what + "; and its image ended early"});
}

/// As long as the image is being written its scan lives and has the name: a link made
/// before that is seen is to the same scan.
Result<void> ImageBackedStream::attach_to_lanes() {
  if (session_ || Clock::now() < next_attempt_) return {};
  next_attempt_ = Clock::now() + kBetweenAttempts;
  std::optional<OfferedImage> offered;  // the same: asked for, so that the scan knows that we read on
  auto link = link_to_scanner(inner_, &offered);
  if (!link && link.error().code == EINTR) return tl::unexpected(link.error());
  if (link && !image_.abandoned()) set_session(std::make_shared<ConsumerSession>(*std::move(link), inner_));
  return {};
}

bool ImageBackedStream::covered() const {
  const auto& start = session_->start();
  for (std::uint32_t lane = 0; lane < start.size(); ++lane) {
    const auto position = positions_.find(lane);
    if (start[lane] > (position == positions_.end() ? 0 : position->second)) return false;
  }
  return true;
}

// ---- both -------------------------------------------------------------------

bool ImageBackedStream::seen(const BatchLease& lease) const {
  const auto position = positions_.find(lease.lane());
  return position != positions_.end() && lease.sequence() < position->second;
}

Result<std::optional<BatchLease>> ImageBackedStream::deliver(BatchLease lease) {
  positions_[lease.lane()] = lease.sequence() + 1;
  if (!handed_over_) return std::optional(std::move(lease));
  tally_.add(lease.view(), false);  // the source has checked it, its rows too if that was asked
  if (options_.columns) lease.limit_to(*options_.columns);
  return std::optional(std::move(lease));
}

Result<void> ImageBackedStream::conclude(StreamEnd end) {
  if (handed_over_ && from_first_ && end != StreamEnd::scanner_died)
    if (auto fine = check_against(in_lanes() ? session_->end_figures() : image_figures()); !fine) return fine;
  end_ = end;
  return {};
}

EndFigures ImageBackedStream::image_figures() const {
  const image::ImageTotals& totals = image_.totals();
  EndFigures figures;
  figures.batches = totals.batches;
  figures.rows = totals.rows;
  figures.content_hash = totals.content_hash;
  return figures;
}

Result<void> ImageBackedStream::check_against(const EndFigures& said) {
  const ConsumerStats& read = tally_.stats;
  if (said.batches == read.batches && said.rows == read.rows && said.content_hash == read.content_hash) return {};
  return failed({EPROTO, fmt::format("scan '{}': the end says {} batches and {} rows, {} and {} were read from the lanes and "
                                     "the image", scan_name_, said.batches, said.rows, read.batches, read.rows)});
}

tl::unexpected<Error> ImageBackedStream::failed(Error error) {
  failure_ = std::move(error);
  return tl::unexpected(*failure_);
}

void ImageBackedStream::detach() {
  detached_ = true;
  if (const auto attached = session()) attached->detach();
}

ConsumerStats ImageBackedStream::stats() const { return handed_over_ ? tally_.stats : session_->stats(); }

std::optional<ScanFigures> ImageBackedStream::scan_figures() const {
  const auto attached = session();
  return attached ? attached->scan_figures() : std::nullopt;
}

pid_t ImageBackedStream::scanner_pid() const {
  const auto attached = session();
  return attached ? attached->scanner_pid() : 0;
}

bool ImageBackedStream::in_pool(const void* address) const {
  const auto attached = session();
  if (attached && attached->in_pool(address)) return true;
  const std::lock_guard lock(current_);
  return image_.is_mapped_at(address);
}

std::shared_ptr<ConsumerSession> ImageBackedStream::session() const {
  const std::lock_guard lock(current_);
  return session_;
}

void ImageBackedStream::set_session(std::shared_ptr<ConsumerSession> session) {
  const std::lock_guard lock(current_);
  session_ = std::move(session);
}

}  // namespace pwalk::ipc
