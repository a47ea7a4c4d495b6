#pragma once

#include <sys/types.h>

#include "pwalk/base/result.h"

namespace pwalk::ipc {

/// Tells a forked child that what it copied is not its own. A page that the
/// kernel wipes at fork (MADV_WIPEONFORK, Linux 4.14), so that it works however
/// the process forked, and costs one load. Thread-safe.
class ForkSentinel {
 public:
  ForkSentinel();
  ForkSentinel(const ForkSentinel&) = delete;
  ForkSentinel& operator=(const ForkSentinel&) = delete;
  ~ForkSentinel();

  bool in_child() const;

 private:
  volatile unsigned* page_ = nullptr;  ///< null: the kernel cannot wipe, compare pids
  pid_t owner_;
};

}  // namespace pwalk::ipc
