#pragma once

#include <functional>
#include <memory>

#include "pwalk/batch_sink.h"
#include "pwalk/scan_plan.h"
#include "pwalk/scan_stats.h"

namespace pwalk {

namespace sys {
struct Calls;
}
class KnownTree;
class WalkControl;

/// One walk over the roots of a plan, into a sink. Not copyable, not reusable.
///
/// start() launches the workers and returns; wait() joins them. cancel() and
/// stats() may be called from any thread at any time, also from a signal-driven
/// loop (not from a signal handler).
///
/// Every name gets one row; every failure is a row or a directory record. A
/// missing root is one row with its errno. The walk never follows a name that
/// was swapped for a symbolic link (openat with O_NOFOLLOW from the parent).
class Scanner {
 public:
  /// All but the plan outlive the Scanner. `control`: who holds the walk back, if anybody. `known`: what an
  /// earlier scan knew, for a walk that reads no directory which looks as it did; the plan then has the
  /// columns device, inode, mtime and ctime, and follows no links.
  Scanner(ScanPlan plan, BatchSink& sink, WalkControl* control = nullptr, const KnownTree* known = nullptr);
  Scanner(ScanPlan plan, BatchSink& sink, const sys::Calls& calls, WalkControl* control = nullptr,
          const KnownTree* known = nullptr);
  /// Cancels and joins.
  ~Scanner();

  /// `on_done` is called once, by the last worker, when the walk has ended for
  /// whatever reason; it must not call back into the Scanner. EAGAIN: no thread
  /// could be started.
  Result<void> start(std::function<void()> on_done = {});

  /// Asks the workers to stop; rows already found are still published.
  void cancel();

  /// Waits for the end and returns the final figures. A thread that was given up because
  /// it hangs in a call (hang_timeout) is not waited for; it uses `calls` when it comes
  /// back, and the sink no more.
  ScanStats wait();

  /// For a process about to end although workers hang in a file system that never
  /// answers: nobody joins them any more. Neither the Scanner nor its sink may be
  /// destroyed afterwards, and wait() may not be called.
  void abandon();

  ScanStats stats() const;
  const ScanPlan& plan() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  ///< shared with threads that hang
};

}  // namespace pwalk
