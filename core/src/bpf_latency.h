#pragma once

#include <memory>

#include "pwalk/base/result.h"
#include "pwalk/kernel_programs.h"

namespace pwalk {

/// How long this process's system calls take, measured in the kernel from their
/// entry to their exit by two eBPF programs at the raw tracepoints sys_enter and
/// sys_exit (Linux 5.7 for bpf_get_ns_current_pid_tgid; CAP_BPF and CAP_PERFMON).
/// Every call is counted, not a sample. While it lives every system call on the
/// machine takes the kernel's slow entry path: a diagnosis, not a default.
class BpfLatency {
 public:
  /// Errors, each one line: ENOTSUP, built without eBPF; else what the kernel answered.
  static Result<std::unique_ptr<BpfLatency>> attach();
  ~BpfLatency();
  BpfLatency(const BpfLatency&) = delete;
  BpfLatency& operator=(const BpfLatency&) = delete;

  /// As of now. Any thread; a call that is just ending may be missing.
  KernelLatency quantiles() const;

 private:
  struct Impl;
  explicit BpfLatency(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pwalk
