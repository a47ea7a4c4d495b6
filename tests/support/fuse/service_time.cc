#include "service_time.h"

#include <thread>

namespace pwalk::fuse {

void ServiceTime::configure(std::chrono::microseconds delay, unsigned capacity) {
  delay_ = delay;
  capacity_ = capacity;
}

void ServiceTime::pass() {
  if (delay_.count() == 0) return;
  enter();
  std::this_thread::sleep_for(delay_);
  leave();
}

void ServiceTime::enter() {
  if (capacity_ == 0) return;
  std::unique_lock lock(mutex_);
  place_free_.wait(lock, [this] { return busy_ < capacity_; });
  ++busy_;
}

void ServiceTime::leave() {
  if (capacity_ == 0) return;
  {
    const std::lock_guard lock(mutex_);
    --busy_;
  }
  place_free_.notify_one();
}

}  // namespace pwalk::fuse
