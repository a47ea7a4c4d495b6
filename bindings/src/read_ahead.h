#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "held_batch.h"
#include "pwalk/base/unique_fd.h"

namespace pwalk::bindings {

/// One batch ahead of its reader: a thread that waits for it, and a descriptor that is readable once
/// it is there, for programs that wait for many things at once (select(2), asyncio). Thread-safe.
class ReadAhead {
 public:
  using Next = Result<std::shared_ptr<const HeldBatch>>;

  /// `read` waits for the next batch; null or an error is the last. It is called by the thread alone,
  /// and must end soon once the reader is closing. Errors: EMFILE, ENFILE.
  static Result<std::unique_ptr<ReadAhead>> start(std::function<Next()> read);

  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  /// Waits for the thread, which `read` must have let go.
  ~ReadAhead();

  /// Readable while take() has something to give; so for good after the last.
  int fd() const { return readable_.get(); }

  /// What has come, or nothing yet. The last is given again and again.
  std::optional<Next> take();
  /// The same after waiting at most `timeout` for something to come.
  std::optional<Next> take_within(std::chrono::milliseconds timeout);

 private:
  ReadAhead(UniqueFd readable, std::function<Next()> read);

  void run();
  void put(Next next);
  std::optional<Next> take_locked();

  UniqueFd readable_;  ///< eventfd; its counter is 1 while slot_ has something
  std::function<Next()> read_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Next> slot_;  ///< guarded by mutex_
  bool stopping_ = false;     ///< guarded by mutex_
  std::thread thread_;
};

}  // namespace pwalk::bindings
