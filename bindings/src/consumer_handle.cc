#include "consumer_handle.h"

#include <pybind11/pybind11.h>

#include <algorithm>
#include <utility>

#include "interruptible.h"
#include "translate_errors.h"

namespace py = pybind11;

namespace pwalk::bindings {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongWait = std::chrono::hours(1);  // then once more

std::function<bool()> interruption(const std::shared_ptr<std::atomic<bool>>& closing) {
  return [closing] { return closing->load(std::memory_order_relaxed) || signals_raised(); };
}

milliseconds left_until(std::optional<std::chrono::steady_clock::time_point> deadline, milliseconds most) {
  if (!deadline) return most;
  const auto left = std::chrono::ceil<milliseconds>(*deadline - std::chrono::steady_clock::now());
  return std::clamp(left, milliseconds(0), most);
}

}  // namespace

std::unique_ptr<ConsumerHandle> ConsumerHandle::attach(ipc::AttachOptions options) {
  auto closing = std::make_shared<std::atomic<bool>>(false);
  options.interrupted = interruption(closing);
  auto consumer = without_gil([&] { return ipc::Consumer::attach(options); });
  if (!consumer) raise(consumer.error(), options.scan);
  return std::unique_ptr<ConsumerHandle>(
      new ConsumerHandle(*std::move(consumer), options.verify_rows, std::move(closing)));
}

ConsumerHandle::ConsumerHandle(ipc::Consumer consumer, bool verifies,
                               std::shared_ptr<std::atomic<bool>> closing)
    : verifies_(verifies),
      scan_name_(consumer.scan_name()),
      closing_(std::move(closing)),
      consumer_(std::move(consumer)),
      seen_{consumer_.stats(), consumer_.end()} {}

std::optional<ipc::BatchLease> ConsumerHandle::next(std::optional<milliseconds> timeout) {
  require_usable();
  if (!verifies_) {
    Got at_once = poll();
    if (!at_once || *at_once || seen_.end != ipc::StreamEnd::running) return hand_out(std::move(at_once));
  }
  std::optional<Clock::time_point> deadline;
  if (timeout) deadline = Clock::now() + *timeout;
  return hand_out(wait_until(deadline));
}

void ConsumerHandle::require_usable() const {
  if (guard_.in_forked_child())
    raise_pwalk("PwalkError", "this consumer belongs to the process that forked; attach again in the child");
  if (closed()) throw py::value_error("the consumer is closed");
}

// With a batch at hand, releasing the GIL would only offer other threads a reason to keep it.
ConsumerHandle::Got ConsumerHandle::poll() {
  std::unique_lock turn(turn_, std::try_to_lock);
  if (!turn) return std::nullopt;
  Got got = consumer_.next(milliseconds(0));
  seen_ = {consumer_.stats(), consumer_.end()};
  return got;
}

ConsumerHandle::Got ConsumerHandle::wait_until(std::optional<Clock::time_point> deadline) {
  std::optional<Seen> seen;  // stays empty without a turn
  Got got = without_gil([&]() -> Got {
    if (auto mine = take_turn(deadline); !mine) return tl::unexpected(mine.error());
    const std::lock_guard turn(turn_, std::adopt_lock);
    Got next;
    do next = consumer_.next(left_until(deadline, kLongWait));
    while (next && !*next && consumer_.end() == ipc::StreamEnd::running &&
           (!deadline || Clock::now() < *deadline));
    seen = Seen{consumer_.stats(), consumer_.end()};
    return next;
  });
  if (seen && seen->stats.batches >= seen_.stats.batches) seen_ = *seen;  // threads may come back out of order
  return got;
}

Result<void> ConsumerHandle::take_turn(std::optional<Clock::time_point> deadline) {
  while (!turn_.try_lock_for(left_until(deadline, kWaitSlice))) {
    if (closed() || signals_raised()) return fail(EINTR, "interrupted");
    if (deadline && Clock::now() >= *deadline) return fail(ETIMEDOUT, "another thread is reading");
  }
  return {};
}

std::optional<ipc::BatchLease> ConsumerHandle::hand_out(Got got) {
  if (!got && got.error().code == EINTR && !PyErr_Occurred())
    throw py::value_error("the consumer was closed");
  if (!got) raise(got.error(), scan_name_);
  if (*got) return *std::move(got);
  switch (seen_.end) {
    case ipc::StreamEnd::running:
      raise({ETIMEDOUT, "no batch came in time"}, scan_name_);
    case ipc::StreamEnd::scanner_died:
      raise_pwalk("ScannerDied", "the scanner of '" + scan_name_ + "' died; what it had published was read");
    case ipc::StreamEnd::complete:
    case ipc::StreamEnd::cut_short:
      break;
  }
  return std::nullopt;
}

void ConsumerHandle::close() {
  if (closing_->exchange(true, std::memory_order_relaxed) || guard_.in_forked_child()) return;
  without_gil([this] {
    const std::lock_guard turn(turn_);  // whoever has it sees closing_ within kWaitSlice
    consumer_.detach();
    return true;
  });
}

bool ConsumerHandle::in_pool(std::uintptr_t address) const {
  return consumer_.in_pool(reinterpret_cast<const void*>(address));
}

}  // namespace pwalk::bindings
