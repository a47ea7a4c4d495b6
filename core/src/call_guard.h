#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>

namespace pwalk {

/// Lets a watchdog take a worker's work away from a thread that hangs in a system call:
/// exactly one of the two goes on, the thread that came back or whoever gave it up.
///
///   thread                                 watchdog
///   word odd (release)                     given up = true
///   the call                               a barrier on every CPU (membarrier(2))
///   word even                              word as it was?  yes: the work is mine
///   given up?  no: go on                                    no: given up = false
///
/// The thread pays two stores and a load per call; the store and the load behind it are
/// kept in order by the watchdog's barrier alone.
class CallGuard {
 public:
  /// The thread, before a call. What it wrote before is seen by who gives it up.
  void enter() { word_.store(word_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

  /// The thread, after it. True: it was given up; nothing is its own any more.
  bool leave() {
    word_.store(word_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // the compiler keeps the order; the CPU, see above
    // Acquire: what a borrower did comes before what the thread does next.
    if (!given_up_.load(std::memory_order_acquire)) [[likely]]
      return false;
    const std::lock_guard verdict(mutex_);
    return given_up_.load(std::memory_order_relaxed);
  }

  /// The watchdog: changes with every call; odd while one is under way.
  std::uint64_t word() const { return word_.load(std::memory_order_acquire); }

  /// The watchdog: takes the work if the thread is still in the call it was in when
  /// word() was `seen`; calls take() while the thread cannot go on yet.
  bool give_up(std::uint64_t seen, const std::function<void()>& take);

  /// The watchdog: the same for a moment. Does something with the work and gives it
  /// back; a thread that comes out of its call meanwhile waits for the end of it.
  bool borrow(std::uint64_t seen, const std::function<void()>& use);

 private:
  std::atomic<std::uint64_t> word_{0};
  std::atomic<bool> given_up_{false};
  std::mutex mutex_;  ///< held from the question to the verdict
};

/// Unwinds a thread that was given up out of its worker.
struct GivenUp {};

}  // namespace pwalk
