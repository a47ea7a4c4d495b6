#include "shared_consumer.h"

#include <algorithm>
#include <utility>

#include "interruptible.h"

namespace pwalk::bindings {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongWait = std::chrono::hours(1);  // then once more

std::function<bool()> interruption(const std::shared_ptr<std::atomic<bool>>& closing) {
  return [closing] { return closing->load(std::memory_order_relaxed) || signals_raised(); };
}

bool has_passed(SharedConsumer::Deadline deadline) {
  return deadline && SharedConsumer::Clock::now() >= *deadline;
}

milliseconds left_until(SharedConsumer::Deadline deadline, milliseconds most) {
  if (!deadline) return most;
  const auto left = std::chrono::ceil<milliseconds>(*deadline - SharedConsumer::Clock::now());
  return std::clamp(left, milliseconds(0), most);
}

}  // namespace

Result<std::shared_ptr<SharedConsumer>> SharedConsumer::attach(ipc::AttachOptions options) {
  auto closing = std::make_shared<std::atomic<bool>>(false);
  options.interrupted = interruption(closing);
  auto consumer = ipc::Consumer::attach(options);
  if (!consumer) return tl::unexpected(consumer.error());
  return std::shared_ptr<SharedConsumer>(
      new SharedConsumer(*std::move(consumer), options.verify_rows, std::move(closing)));
}

SharedConsumer::SharedConsumer(ipc::Consumer consumer, bool verifies,
                               std::shared_ptr<std::atomic<bool>> closing)
    : verifies_(verifies || !consumer.image_file().empty()),
      scan_name_(consumer.scan_name()),
      image_file_(consumer.image_file()),
      missed_rows_(consumer.missed_rows()),
      closing_(std::move(closing)),
      consumer_(std::move(consumer)),
      seen_{consumer_.stats(), consumer_.end()} {}

Result<void> SharedConsumer::usable() const {
  if (guard_.in_forked_child())
    return fail(ESTALE, "this consumer belongs to the process that forked; attach again in the child");
  if (closed()) return fail(EBADF, "the consumer is closed");
  return {};
}

SharedConsumer::Next SharedConsumer::poll() {
  if (auto fine = usable(); !fine) return tl::unexpected(fine.error());
  if (ahead()) return ahead()->take().value_or(nullptr);
  const std::unique_lock turn(turn_, std::try_to_lock);
  return turn ? read(milliseconds(0)) : nullptr;
}

SharedConsumer::Next SharedConsumer::wait_until(Deadline deadline) {
  if (auto fine = usable(); !fine) return tl::unexpected(fine.error());
  return ahead() ? wait_for_ahead(deadline) : wait_for_turn_and_batch(deadline);
}

SharedConsumer::Next SharedConsumer::wait_for_ahead(Deadline deadline) {
  while (true) {
    if (auto next = ahead()->take_within(left_until(deadline, kWaitSlice))) return *std::move(next);
    if (signals_raised()) return fail(EINTR, "interrupted");
    if (has_passed(deadline)) return nullptr;
  }
}

SharedConsumer::Next SharedConsumer::wait_for_turn_and_batch(Deadline deadline) {
  if (auto mine = take_turn(deadline); !mine) return tl::unexpected(mine.error());
  const std::lock_guard turn(turn_, std::adopt_lock);
  Next next;
  do next = read(left_until(deadline, kLongWait));
  while (next && !*next && end() == ipc::StreamEnd::running && !has_passed(deadline));
  return next;
}

SharedConsumer::Next SharedConsumer::read(milliseconds timeout) {
  auto lease = consumer_.next(timeout);
  {
    const std::lock_guard lock(seen_mutex_);
    seen_ = {consumer_.stats(), consumer_.end()};
  }
  if (!lease && lease.error().code == EINTR && closed()) return fail(EBADF, "the consumer was closed");
  if (!lease) return tl::unexpected(lease.error());
  return *lease ? std::make_shared<const HeldBatch>(**std::move(lease)) : nullptr;
}

Result<void> SharedConsumer::take_turn(Deadline deadline) {
  while (!turn_.try_lock_for(left_until(deadline, kWaitSlice))) {
    if (closed()) return fail(EBADF, "the consumer was closed");
    if (signals_raised()) return fail(EINTR, "interrupted");
    if (has_passed(deadline)) return fail(ETIMEDOUT, "no batch came in time: another thread was waiting for one");
  }
  return {};
}

Result<int> SharedConsumer::fileno() {
  if (auto fine = usable(); !fine) return tl::unexpected(fine.error());
  const std::lock_guard lock(ahead_mutex_);
  if (!ahead_) {
    auto started = ReadAhead::start([this] { return wait_for_turn_and_batch(std::nullopt); });
    if (!started) return tl::unexpected(started.error());
    ahead_ = *std::move(started);
    ahead_pointer_.store(ahead_.get(), std::memory_order_release);
  }
  return ahead_->fd();
}

// The thread of a forked child's copy does not exist, and cannot be waited for.
SharedConsumer::~SharedConsumer() {
  if (guard_.in_forked_child())
    static_cast<void>(ahead_.release());
  else
    closing_->store(true, std::memory_order_relaxed);
}

void SharedConsumer::close() {
  if (closing_->exchange(true, std::memory_order_relaxed) || guard_.in_forked_child()) return;
  const std::lock_guard turn(turn_);  // whoever has it sees closing_ within kWaitSlice
  consumer_.detach();
}

ipc::StreamEnd SharedConsumer::end() const {
  const std::lock_guard lock(seen_mutex_);
  return seen_.end;
}

ipc::ConsumerStats SharedConsumer::stats() const {
  const std::lock_guard lock(seen_mutex_);
  return seen_.stats;
}

}  // namespace pwalk::bindings
