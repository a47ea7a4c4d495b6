#include "pwalk/walk_control.h"

namespace pwalk {

void WalkControl::acknowledge(std::uint64_t directories) {
  {
    const std::lock_guard lock(room_mutex_);
    acknowledged_ += directories;
  }
  room_.notify_all();
}

void WalkControl::decline(std::string path) {
  const std::lock_guard lock(declined_mutex_);
  if (!declined_.insert(path).second) return;
  oldest_declined_.push_back(std::move(path));
  if (oldest_declined_.size() > kMostDeclined) {
    declined_.erase(oldest_declined_.front());
    oldest_declined_.pop_front();
  }
  any_declined_.store(true, std::memory_order_relaxed);
}

void WalkControl::release() {
  {
    const std::lock_guard lock(room_mutex_);
    released_ = true;
  }
  room_.notify_all();
}

bool WalkControl::admit() {
  const std::lock_guard lock(room_mutex_);
  if (!has_room()) return false;
  ++opened_;
  return true;
}

void WalkControl::give_back() {
  {
    const std::lock_guard lock(room_mutex_);
    if (opened_ != 0) --opened_;  // a walk that stops gives back what was never admitted
  }
  room_.notify_one();
}

void WalkControl::wait_for_room() {
  std::unique_lock lock(room_mutex_);
  room_.wait_for(lock, kLongestWait, [this] { return has_room(); });
}

bool WalkControl::is_declined(std::string_view path) const {
  if (!any_declined_.load(std::memory_order_relaxed)) return false;
  const std::lock_guard lock(declined_mutex_);
  for (std::string_view at = path;;) {
    if (declined_.contains(at)) return true;
    if (at.empty()) return false;
    at = at.substr(0, at.rfind('/'));
  }
}

}  // namespace pwalk
