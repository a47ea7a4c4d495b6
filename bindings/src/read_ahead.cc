#include "read_ahead.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <csignal>
#include <utility>

namespace pwalk::bindings {
namespace {

bool is_last(const ReadAhead::Next& next) { return !next || !*next; }

/// Blocks all signals for the threads made meanwhile: Python's are for its own threads.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

Result<std::unique_ptr<ReadAhead>> ReadAhead::start(std::function<Next()> read) {
  UniqueFd readable(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!readable) return fail_errno("cannot make an eventfd");
  std::unique_ptr<ReadAhead> ahead(new ReadAhead(std::move(readable), std::move(read)));
  const SignalsBlocked blocked;
  ahead->thread_ = std::thread([raw = ahead.get()] { raw->run(); });
  return ahead;
}

ReadAhead::ReadAhead(UniqueFd readable, std::function<Next()> read)
    : readable_(std::move(readable)), read_(std::move(read)) {}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ReadAhead::run() {
  for (bool last = false; !last;) {
    Next next = read_();
    last = is_last(next);
    put(std::move(next));
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopping_ || !slot_ || last; });
    if (stopping_) return;
  }
}

void ReadAhead::put(Next next) {
  {
    const std::lock_guard lock(mutex_);
    slot_ = std::move(next);
    ::eventfd_write(readable_.get(), 1);
  }
  changed_.notify_all();
}

std::optional<ReadAhead::Next> ReadAhead::take() {
  const std::lock_guard lock(mutex_);
  return take_locked();
}

std::optional<ReadAhead::Next> ReadAhead::take_within(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [this] { return slot_.has_value(); });
  return take_locked();
}

std::optional<ReadAhead::Next> ReadAhead::take_locked() {
  if (!slot_ || is_last(*slot_)) return slot_;
  eventfd_t ignored;
  ::eventfd_read(readable_.get(), &ignored);
  std::optional<Next> taken = std::exchange(slot_, std::nullopt);
  changed_.notify_all();
  return taken;
}

}  // namespace pwalk::bindings
