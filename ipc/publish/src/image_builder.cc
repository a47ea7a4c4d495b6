#include "image_builder.h"

#include <chrono>
#include <utility>

#include "image_conclusion.h"
#include "pwalk/base/signals_blocked.h"

namespace pwalk::publish {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSlice{100};
/// The socket is this process's own: it answers within a slice of its control thread.
constexpr std::chrono::seconds kAttachTimeout{10};

}  // namespace

ImageBuilder::ImageBuilder(ImageJob job, std::string scan_name, std::function<void()> on_settled)
    : job_(std::move(job)), names_(names_of(job_)), scan_name_(std::move(scan_name)), on_settled_(std::move(on_settled)) {
  const SignalsBlocked inherited;
  thread_ = std::thread([this] { build(); });
}

ImageBuilder::~ImageBuilder() {
  give_up();
  thread_.join();
}

void ImageBuilder::build() {
  outcome_.file = job_.file;
  ipc::AttachOptions options;
  options.scan = scan_name_;
  options.timeout = kAttachTimeout;
  options.label = "image";
  options.use_image = false;    // that is what we are here for
  options.verify_rows = false;  // the writer's own checksums cover the bytes from here on
  options.interrupted = [this] { return given_up_.load(std::memory_order_relaxed); };
  Result<void> built;
  if (auto consumer = ipc::Consumer::attach(options)) {
    ever_attached_.store(true, std::memory_order_relaxed);
    settle(State::reading);
    built = copy(*consumer);
    const ipc::StreamEnd end = consumer->end();
    consumer->detach();
    state_.store(State::finishing, std::memory_order_release);
    if (built) built = conclude_image(job_, end == ipc::StreamEnd::complete, outcome_);
  } else {
    built = tl::unexpected(consumer.error());
    settle(State::finishing);
  }
  note_outcome(job_, built, outcome_);
  // Now, not when the scan ends: an unfinished file gives its space back.
  static_cast<void>(image::ImageWriter(std::move(job_.writer)));
  state_.store(State::done, std::memory_order_release);
}

void ImageBuilder::settle(State state) {
  state_.store(state, std::memory_order_release);
  on_settled_();
}

/// Until the stream ends. A batch is given back when the file has its bytes.
Result<void> ImageBuilder::copy(ipc::Consumer& consumer) {
  image::ImageWriter& writer = job_.writer;
  for (;;) {
    auto batch = consumer.next(kSlice);
    if (!batch) return tl::unexpected(batch.error());
    if (*batch)
      if (auto added = writer.append((*batch)->lane(), (*batch)->sequence(), (*batch)->view()); !added) return added;
    if (!*batch && consumer.end() != ipc::StreamEnd::running) return {};
    if (given_up_.load(std::memory_order_relaxed)) return fail(EINTR, "the image was given up");
    if (writer.commit_due())
      if (auto committed = writer.commit(); !committed) return committed;
  }
}

}  // namespace pwalk::publish
