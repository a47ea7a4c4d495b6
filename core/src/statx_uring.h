#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "pwalk/base/result.h"
#include "statx_backend.h"

namespace pwalk {

/// Many statx requests in flight through io_uring (Linux 5.6). The kernel hands
/// each to a worker thread of its own (io_statx() is always forced to be
/// asynchronous, io_uring/statx.c), so what is gained is concurrency without our
/// own threads; where calls do not sleep it is a loss.
class StatxUring final : public StatxBackend {
 public:
  struct Limits {
    unsigned depth = 128;    ///< requests in flight at most; a power of two
    unsigned workers = 128;  ///< kernel threads at most (IORING_REGISTER_IOWQ_MAX_WORKERS)
  };

  /// By the thread that will use it. `stop`: once true, nothing more is submitted, and
  /// what is in flight is cancelled; answers are then -ECANCELED. May be null.
  /// Halves the depth while memory for the ring is refused (RLIMIT_MEMLOCK before
  /// Linux 5.12). Errors: EPERM, forbidden by sysctl kernel.io_uring_disabled or a
  /// sandbox; ENOSYS; ENOTSUP, without statx, or built without liburing; ENOMEM.
  static Result<std::unique_ptr<StatxUring>> create(Limits limits, const std::atomic<bool>* stop);
  ~StatxUring() override;

  void begin(int directory, std::span<const char* const> names, int flags, unsigned mask) override;
  int take(struct ::statx& answer) override;
  void end() override;

  /// "depth 128, deferred task work": what was obtained.
  std::string explain() const;

 private:
  struct Impl;
  explicit StatxUring(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pwalk
