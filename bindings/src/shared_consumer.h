#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "fork_guard.h"
#include "held_batch.h"
#include "pwalk/ipc/consumer.h"
#include "read_ahead.h"

namespace pwalk::bindings {

/// A Consumer that threads share: they take turns, and each batch goes to one of them. Knows nothing
/// of Python except that it must stay interruptible. All methods are thread-safe; call those that
/// wait without the GIL.
class SharedConsumer {
 public:
  using Clock = std::chrono::steady_clock;
  using Deadline = std::optional<Clock::time_point>;  ///< nullopt: as long as it takes
  /// A batch; or null, and end() says whether nothing came in time or nothing will come.
  using Next = Result<std::shared_ptr<const HeldBatch>>;

  /// Errors: those of ipc::Consumer::attach.
  static Result<std::shared_ptr<SharedConsumer>> attach(ipc::AttachOptions options);

  SharedConsumer(const SharedConsumer&) = delete;
  SharedConsumer& operator=(const SharedConsumer&) = delete;
  ~SharedConsumer();

  /// What is there at once, without waiting even for a turn.
  Next poll();
  /// Errors: those of ipc::Consumer::next, and EBADF once closed, ESTALE in a forked child.
  Next wait_until(Deadline deadline);

  /// A descriptor that is readable when poll() has something to give, the end included. From here on
  /// the consumer reads one batch ahead, in a thread of its own. Errors: those of poll(), EMFILE.
  Result<int> fileno();

  /// Detaches; a wait under way in another thread ends within kWaitSlice. Idempotent. Waits so long.
  void close();
  bool closed() const { return closing_->load(std::memory_order_relaxed); }

  ipc::StreamEnd end() const;
  ipc::ConsumerStats stats() const;
  std::uint64_t missed_rows() const { return missed_rows_; }
  const std::string& scan_name() const { return scan_name_; }
  std::optional<ipc::ScanFigures> scan_figures() const { return consumer_.scan_figures(); }
  /// The image that is read; empty: a live scan is.
  const std::string& image_file() const { return image_file_; }
  pid_t scanner_pid() const { return consumer_.scanner_pid(); }
  bool in_pool(const void* address) const { return consumer_.in_pool(address); }
  /// Whether looking at a batch takes long enough to be worth releasing the GIL (of an
  /// image it may have to be read first).
  bool verifies() const { return verifies_; }

 private:
  struct Seen {
    ipc::ConsumerStats stats;
    ipc::StreamEnd end = ipc::StreamEnd::running;
  };

  SharedConsumer(ipc::Consumer consumer, bool verifies, std::shared_ptr<std::atomic<bool>> closing);

  Result<void> usable() const;
  Result<void> take_turn(Deadline deadline);
  Next wait_for_turn_and_batch(Deadline deadline);
  Next wait_for_ahead(Deadline deadline);
  Next read(std::chrono::milliseconds timeout);  ///< requires the turn
  ReadAhead* ahead() const { return ahead_pointer_.load(std::memory_order_acquire); }

  ForkGuard guard_;
  const bool verifies_;
  const std::string scan_name_, image_file_;
  const std::uint64_t missed_rows_;
  // Set by close(), looked at in waits. No data hangs on it, so relaxed order is enough.
  std::shared_ptr<std::atomic<bool>> closing_;
  std::timed_mutex turn_;  ///< guards consumer_
  ipc::Consumer consumer_;
  mutable std::mutex seen_mutex_;  ///< guards seen_; held for a copy only
  Seen seen_;                      ///< as of the last read
  std::mutex ahead_mutex_;            ///< guards the making of ahead_
  std::unique_ptr<ReadAhead> ahead_;  ///< once made, stays until the end
  std::atomic<ReadAhead*> ahead_pointer_{nullptr};  ///< release in fileno(), acquire in ahead()
};

}  // namespace pwalk::bindings
