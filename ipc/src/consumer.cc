#include "pwalk/ipc/consumer.h"

#include <fmt/format.h>

#include "consumer_session.h"
#include "image_backed_stream.h"
#include "image_replay.h"
#include "pwalk/ipc/kept_images.h"

namespace pwalk::ipc {
namespace {

/// No such scan runs, so that what was asked for may be an image.
bool may_be_an_image(int code) {
  return code == ENOENT || code == EINVAL;
}

using Source = Result<std::shared_ptr<BatchSource>>;

Result<void> check_share(const AttachOptions& options) {
  if (options.rank >= options.world)
    return fail(EINVAL, fmt::format("rank {} of world {}: allowed are 0 to world - 1", options.rank, options.world));
  if (options.group.empty()) return {};
  if (options.world > 1) return fail(EINVAL, "rank and world: not together with a group, whose members share by asking");
  if (options.group.size() > kMostGroupName || options.group.find('\0') != std::string::npos)
    return fail(EINVAL, fmt::format("group '{}': allowed are names of at most {} bytes, without NUL", options.group,
                                    kMostGroupName));
  return {};
}

/// The lanes of a running scan, and its image for what they do not have.
Source over_lanes(Result<ScannerLink> link, std::optional<OfferedImage> offered, const AttachOptions& options) {
  if (!link && link.error().code == ENODATA && options.start == StartAt::first && offered)
    return std::make_shared<ImageBackedStream>(std::move(offered->image), options, link.error());
  if (!link) return tl::unexpected(link.error());
  auto session = std::make_shared<ConsumerSession>(*std::move(link), options);
  // Its writer lives, so the scan of that name is still the one that offered it.
  const bool of_this_scan = offered && offered->goes_on && offered->image.state() == image::ImageState::growing &&
                            !offered->image.abandoned();
  if (!of_this_scan) return session;
  return std::make_shared<ImageBackedStream>(std::move(session), std::move(offered->image), options);
}

/// A scan that runs; else an image of that name; else the scan is waited for as long as asked.
Source find_source(const AttachOptions& options) {
  AttachOptions at_once = options;
  at_once.timeout = {};
  std::optional<OfferedImage> offered;
  auto link = link_to_scanner(at_once, &offered);
  if (!link && may_be_an_image(link.error().code)) {
    auto image = open_image(options.scan);
    if (image && !options.group.empty())
      return fail(EINVAL, fmt::format("group '{}': '{}' is an image, which is shared by rank and world", options.group,
                                      options.scan));
    if (image) return std::make_shared<ImageReplay>(*std::move(image), options);
    if (image.error().code != ENOENT) return tl::unexpected(image.error());
  }
  const bool may_come = !link && (link.error().code == ENOENT || link.error().code == ETIMEDOUT);
  if (may_come && options.timeout > at_once.timeout) link = link_to_scanner(options, &offered);
  return over_lanes(std::move(link), std::move(offered), options);
}

}  // namespace

Result<Consumer> Consumer::attach(const AttachOptions& options) {
  if (auto good = check_share(options); !good) return tl::unexpected(good.error());
  auto source = find_source(options);
  if (!source) return tl::unexpected(source.error());
  return Consumer(*std::move(source));
}

Consumer::Consumer(std::shared_ptr<BatchSource> source) : source_(std::move(source)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&& other) noexcept {
  if (this != &other) {
    if (source_) source_->detach();
    source_ = std::move(other.source_);
  }
  return *this;
}
Consumer::~Consumer() {
  if (source_) source_->detach();
}

Result<std::optional<BatchLease>> Consumer::next(std::chrono::milliseconds timeout) {
  return source_->next(timeout);
}
StreamEnd Consumer::end() const {
  return source_->end();
}
std::uint64_t Consumer::missed_rows() const {
  return source_->stats().missed_rows;
}
ConsumerStats Consumer::stats() const {
  return source_->stats();
}
std::optional<ScanFigures> Consumer::scan_figures() const {
  return source_->scan_figures();
}
const std::string& Consumer::scan_name() const {
  return source_->scan_name();
}
pid_t Consumer::scanner_pid() const {
  return source_->scanner_pid();
}
std::string Consumer::image_file() const {
  return source_->image_file();
}
void Consumer::detach() {
  source_->detach();
}
bool Consumer::in_pool(const void* address) const {
  return source_->in_pool(address);
}

}  // namespace pwalk::ipc
