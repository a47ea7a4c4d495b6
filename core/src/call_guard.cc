#include "call_guard.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace pwalk {
namespace {

/// Without membarrier(2): far longer than any store stays in a CPU's buffer.
constexpr std::chrono::milliseconds kStoresHaveArrived{10};

void barrier_on_every_cpu() {
  static const bool registered = ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  if (!registered || ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
    std::this_thread::sleep_for(kStoresHaveArrived);
}

}  // namespace

bool CallGuard::give_up(std::uint64_t seen, const std::function<void()>& take) {
  const std::lock_guard verdict(mutex_);
  given_up_.store(true, std::memory_order_seq_cst);
  barrier_on_every_cpu();
  if (word_.load(std::memory_order_acquire) == seen) {
    take();
    return true;
  }
  given_up_.store(false, std::memory_order_relaxed);
  return false;
}

bool CallGuard::borrow(std::uint64_t seen, const std::function<void()>& use) {
  const std::lock_guard verdict(mutex_);
  given_up_.store(true, std::memory_order_seq_cst);
  barrier_on_every_cpu();
  const bool mine = word_.load(std::memory_order_acquire) == seen;
  if (mine) use();
  given_up_.store(false, std::memory_order_release);  // with the acquire in leave()
  return mine;
}

}  // namespace pwalk
