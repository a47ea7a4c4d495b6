#include "fork_guard.h"

#include <pthread.h>

#include <atomic>

namespace pwalk::bindings {
namespace {

// Written only by the child side of fork(2), where one thread exists: relaxed is enough.
std::atomic<std::uint64_t> forks_behind_us{0};

std::uint64_t current_generation() {
  static const int registered = pthread_atfork(
      nullptr, nullptr, [] { forks_behind_us.fetch_add(1, std::memory_order_relaxed); });
  (void)registered;
  return forks_behind_us.load(std::memory_order_relaxed);
}

}  // namespace

ForkGuard::ForkGuard() : generation_(current_generation()) {}

bool ForkGuard::in_forked_child() const {
  return generation_ != forks_behind_us.load(std::memory_order_relaxed);
}

}  // namespace pwalk::bindings
