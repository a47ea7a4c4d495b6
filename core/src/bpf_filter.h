#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "pwalk/base/result.h"

namespace pwalk {

/// While it lives, the kernel refuses this process (EACCES) the opening of any
/// directory whose last component is listed: an eBPF program at the LSM hook
/// file_open (Linux 5.7, CONFIG_BPF_LSM, `bpf` among the active LSMs, CAP_BPF and
/// CAP_PERFMON). Nothing is pinned; it ends with the process, however that ends.
///
/// Not refused: O_PATH, which reads nothing, and what lies beneath such a directory
/// when it is reached by another way. Other processes are never affected.
class BpfFilter {
 public:
  static constexpr std::size_t kLongestName = 62;
  static constexpr std::size_t kMostNames = 1023;

  /// EINVAL: a name that no directory can have, one that is too long, or too many;
  /// the message says what is allowed.
  static Result<void> check(std::span<const std::string> names);

  /// Attached and proved: a directory made for the purpose could not be opened.
  /// Errors, each one line: those of check(); ENOTSUP, built without eBPF, or the kernel has the program but does
  /// not ask it; else what the kernel answered.
  static Result<std::unique_ptr<BpfFilter>> attach(std::span<const std::string> names);
  ~BpfFilter();
  BpfFilter(const BpfFilter&) = delete;
  BpfFilter& operator=(const BpfFilter&) = delete;

  /// Opens refused so far. Any thread.
  std::uint64_t refusals() const;

 private:
  struct Impl;
  explicit BpfFilter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pwalk
