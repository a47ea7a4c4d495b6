#include "consumer_handle.h"

#include <utility>

#include "interruptible.h"
#include "translate_errors.h"

namespace pwalk::bindings {
namespace {

auto attach_without_gil(const ipc::AttachOptions& options) {
  return without_gil([&] { return SharedConsumer::attach(options); });
}

/// How much is gone is told to those who accept to begin later.
[[noreturn]] void raise_missed(ipc::AttachOptions options, const Error& refusal) {
  options.start = ipc::StartAt::oldest;
  const auto late = attach_without_gil(options);
  if (!late) raise(refusal, options.scan);
  raise_missed_entries(refusal.what, (*late)->missed_rows());
}

}  // namespace

ConsumerHandle ConsumerHandle::attach(ipc::AttachOptions options) {
  auto consumer = attach_without_gil(options);
  if (!consumer && consumer.error().code == ENODATA) raise_missed(std::move(options), consumer.error());
  if (!consumer) raise(consumer.error(), options.scan);
  return ConsumerHandle(*std::move(consumer));
}

std::shared_ptr<const HeldBatch> ConsumerHandle::next(std::optional<std::chrono::milliseconds> timeout) {
  // With a batch at hand, releasing the GIL would only offer other threads a reason to keep it.
  if (!consumer_->verifies()) {
    auto at_once = consumer_->poll();
    if (!at_once || *at_once || consumer_->end() != ipc::StreamEnd::running) return hand_out(std::move(at_once));
  }
  SharedConsumer::Deadline deadline;
  if (timeout) deadline = SharedConsumer::Clock::now() + *timeout;
  return hand_out(without_gil([&] { return consumer_->wait_until(deadline); }));
}

std::shared_ptr<const HeldBatch> ConsumerHandle::hand_out(SharedConsumer::Next next) {
  const std::string& name = consumer_->scan_name();
  if (!next) raise(next.error(), name);
  if (*next) return *std::move(next);
  switch (consumer_->end()) {
    case ipc::StreamEnd::running:
      raise({ETIMEDOUT, "no batch came in time"}, name);
    case ipc::StreamEnd::scanner_died:
      raise_pwalk("ScannerDied", "the scanner of '" + name + "' died; what it had published was read");
    case ipc::StreamEnd::complete:
    case ipc::StreamEnd::cut_short:
      break;
  }
  return nullptr;
}

int ConsumerHandle::fileno() {
  const auto descriptor = without_gil([this] { return consumer_->fileno(); });
  if (!descriptor) raise(descriptor.error(), consumer_->scan_name());
  return *descriptor;
}

void ConsumerHandle::close() {
  without_gil([this] { return consumer_->close(), true; });
}

}  // namespace pwalk::bindings
