#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "fork_guard.h"
#include "pwalk/ipc/consumer.h"

namespace pwalk::bindings {

/// A Consumer for Python: waits without the GIL, is interruptible, and may be shared by threads,
/// which then take turns: each batch goes to one of them. All methods need the GIL and raise Python
/// exceptions (translate_errors.h).
class ConsumerHandle {
 public:
  /// Waits at most `timeout` for the scan to appear.
  static std::unique_ptr<ConsumerHandle> attach(ipc::AttachOptions options);

  ConsumerHandle(const ConsumerHandle&) = delete;
  ConsumerHandle& operator=(const ConsumerHandle&) = delete;

  /// The next batch; nullopt when the stream has ended by the scanner's own word. Raises
  /// TimeoutError when nothing came in time (nullopt: waits as long as it takes), ScannerDied after
  /// the last batch of a scanner that died, Evicted, ProtocolError, PwalkError in a forked child,
  /// ValueError once closed, and whatever a signal's handler raises.
  std::optional<ipc::BatchLease> next(std::optional<std::chrono::milliseconds> timeout);

  /// Detaches; a next() under way in another thread raises within kWaitSlice. Idempotent.
  void close();

  bool closed() const { return *closing_; }
  ipc::StreamEnd end() const { return seen_.end; }
  /// As of the last next().
  const ipc::ConsumerStats& stats() const { return seen_.stats; }
  const std::string& scan_name() const { return scan_name_; }
  bool in_pool(std::uintptr_t address) const;

 private:
  using Clock = std::chrono::steady_clock;
  using Got = Result<std::optional<ipc::BatchLease>>;
  struct Seen {
    ipc::ConsumerStats stats;
    ipc::StreamEnd end = ipc::StreamEnd::running;
  };

  ConsumerHandle(ipc::Consumer consumer, bool verifies, std::shared_ptr<std::atomic<bool>> closing);

  void require_usable() const;
  Got poll();
  Got wait_until(std::optional<Clock::time_point> deadline);
  Result<void> take_turn(std::optional<Clock::time_point> deadline);
  std::optional<ipc::BatchLease> hand_out(Got got);

  ForkGuard guard_;
  const bool verifies_;  ///< looking at a batch takes long enough to be worth releasing the GIL
  const std::string scan_name_;
  // Set under the GIL; read by the waiting thread, without it, in ipc's interruption check. No data
  // hangs on it, so relaxed order is enough.
  std::shared_ptr<std::atomic<bool>> closing_;
  std::timed_mutex turn_;   ///< guards consumer_; never waited for with the GIL held
  ipc::Consumer consumer_;
  Seen seen_;               ///< guarded by the GIL
};

}  // namespace pwalk::bindings
