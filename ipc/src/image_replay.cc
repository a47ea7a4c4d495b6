#include "image_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
namespace pwalk::ipc {
namespace {

/// A wait that may be longer is as long, and does not overflow the clock.
constexpr std::chrono::hours kForEver{24 * 365};
/// Longest sleep without asking whether the caller was interrupted.
constexpr std::chrono::milliseconds kSlice{50};

}  // namespace

ImageReplay::ImageReplay(ResultsFilesystem image, const AttachOptions& options)
    : image_(std::move(image)), options_(options) {
  if (options_.start != StartAt::now) return;
  next_ = image_.totals().batches;
  from_first_ = next_ == 0;
  tally_.stats.missed_rows = image_.totals().rows;
}

ImageReplay::ImageReplay(ResultsFilesystem image, const AttachOptions& options, LanePositions from)
    : image_(std::move(image)), options_(options), from_(std::move(from)), from_first_(from_.empty()) {}

Result<std::optional<BatchLease>> ImageReplay::next(std::chrono::milliseconds timeout) {
  if (failure_) return tl::unexpected(*failure_);
  if (detached_) return fail(ENOTCONN, "the consumer has detached");
  for (const auto deadline = Clock::now() + std::min<std::chrono::milliseconds>(timeout, kForEver);
       end_ == StreamEnd::running;) {
    if (at_hand()) {
      auto lease = lend(next_++);
      if (lease) return std::optional(*std::move(lease));
      failure_ = lease.error();
      return tl::unexpected(*failure_);
    }
    const auto more = wait(deadline);
    if (!more) return tl::unexpected(more.error());
    if (!*more) break;
  }
  return std::nullopt;
}

bool ImageReplay::wanted(std::uint64_t number) const {
  if (number % options_.world != options_.rank) return false;
  if (from_.empty()) return true;
  const ImageBatch placed = image_.placed(number);
  const auto lane = from_.find(placed.lane);
  return lane == from_.end() || placed.sequence >= lane->second;
}

/// Goes to the next batch that is wanted in what is known of the image.
bool ImageReplay::at_hand() {
  const std::uint64_t known = image_.totals().batches;
  while (next_ < known && !wanted(next_)) ++next_;
  return next_ < known;
}

Result<BatchLease> ImageReplay::lend(std::uint64_t number) {
  auto batch = image_.hold(number);
  if (!batch) return tl::unexpected(batch.error());
  if (!tally_.add(batch->view, options_.verify_rows))
    return fail(EPROTO, fmt::format("image '{}': the rows of batch {} do not have the hash it states", image_.file(), number));
  auto held = std::make_shared<BatchLease::Held>();
  held->view = options_.columns ? batch->view.limited_to(*options_.columns) : batch->view;
  held->lane = batch->lane;
  held->sequence = batch->sequence;
  held->length = std::uint32_t(batch->view.bytes().size());
  held->copy = std::move(batch->bytes);
  BatchLease lease;
  lease.held_ = std::move(held);
  return lease;
}

/// What comes after the last batch that is known: the end, or one sleep of at most a
/// slice and another look. False: the deadline has passed, or the stream is over.
Result<bool> ImageReplay::wait(Clock::time_point deadline) {
  if (auto looked = look_again(); !looked) return tl::unexpected(looked.error());
  if (end_ != StreamEnd::running) return false;
  if (at_hand()) return true;
  if (options_.interrupted && options_.interrupted()) return fail(EINTR, "interrupted while waiting for a batch");
  const auto since = Clock::now();
  const auto left = std::min<std::chrono::nanoseconds>(deadline - since, kSlice);
  if (left <= left.zero()) return false;
  std::this_thread::sleep_for(left);
  tally_.stats.waited_ns += std::uint64_t((Clock::now() - since).count());
  return true;
}

/// Asks for the writer before the newest commit: once it is gone, that is the last one.
Result<void> ImageReplay::look_again() {
  if (image_.state() == image::ImageState::growing) {
    writer_gone_ = image_.abandoned();
    auto fresh = image_.refreshed();
    if (!fresh) return tl::unexpected(fresh.error());
    if (fresh->totals().batches < next_)
      return fail(EPROTO, fmt::format("image '{}' has become shorter", image_.file()));
    image_ = *std::move(fresh);
  }
  if (at_hand()) return {};
  switch (image_.state()) {
    case image::ImageState::complete: return conclude(StreamEnd::complete);
    case image::ImageState::cut_short: return conclude(StreamEnd::cut_short);
    case image::ImageState::growing: break;
  }
  return writer_gone_ ? conclude(StreamEnd::scanner_died) : Result<void>();
}

Result<void> ImageReplay::conclude(StreamEnd end) {
  const image::ImageTotals& said = image_.totals();
  const ConsumerStats& read = tally_.stats;
  const bool all = from_first_ && options_.world == 1;
  if (all && (read.batches != said.batches || read.rows != said.rows || read.directories != said.records ||
              read.content_hash != said.content_hash)) {
    failure_ = Error{EPROTO, fmt::format("image '{}': its end says {} rows, {} were read, or their hashes differ",
                                         image_.file(), said.rows, read.rows)};
    return tl::unexpected(*failure_);
  }
  end_ = end;
  return {};
}

}  // namespace pwalk::ipc
