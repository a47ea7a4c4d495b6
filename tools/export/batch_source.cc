#include "export/batch_source.h"

#include "process/signals.h"
#include "pwalk/ipc/kept_images.h"

namespace pwalk::tools {
namespace {

constexpr std::chrono::milliseconds kSlice{100};

}  // namespace

Result<BatchSource> BatchSource::open(const std::string& scan) {
  BatchSource source;
  auto image = ipc::open_image(scan);
  if (image) {
    source.image_ = *std::move(image);
    return source;
  }
  if (image.error().code != ENOENT) return tl::unexpected(image.error());
  ipc::AttachOptions attach;
  attach.scan = scan;
  attach.label = "pwalk export";
  attach.interrupted = [] { return stop_requests() > 0; };
  auto consumer = ipc::Consumer::attach(attach);
  // What is missing is more likely an image.
  if (!consumer) return tl::unexpected(consumer.error().code == ENOENT || consumer.error().code == EINVAL ? image.error() : consumer.error());
  source.consumer_ = *std::move(consumer);
  return source;
}

Result<const schema::EntryBatchView*> BatchSource::next() {
  if (image_) {
    if (stop_requests() > 0) return fail(EINTR, "reading the image");
    if (number_ == image_->totals().batches) return nullptr;
    const auto batch = image_->batch(number_++);
    if (!batch) return tl::unexpected(batch.error());
    return batch->view;
  }
  while (consumer_->end() == ipc::StreamEnd::running) {
    auto lease = consumer_->next(kSlice);
    if (!lease) return tl::unexpected(lease.error());
    if (!*lease) continue;
    lease_ = **std::move(lease);
    return &lease_->view();
  }
  return nullptr;
}

const std::string& BatchSource::name() const { return image_ ? image_->facts().name : consumer_->scan_name(); }

bool BatchSource::cut_short() const {
  return image_ ? image_->state() != image::ImageState::complete : consumer_->end() != ipc::StreamEnd::complete;
}

std::uint64_t BatchSource::errors() const { return image_ ? image_->totals().errors : consumer_->stats().errors; }

}  // namespace pwalk::tools
