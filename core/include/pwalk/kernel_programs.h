#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pwalk/base/result.h"
#include "pwalk/scan_plan.h"
#include "pwalk/scan_stats.h"

namespace pwalk {

/// Latency of every call of a kind, from its entry to its exit.
struct KernelLatency {
  LatencyQuantiles open;      ///< openat, openat2
  LatencyQuantiles getdents;  ///< getdents64
  LatencyQuantiles stat;      ///< statx, newfstatat
};

/// The eBPF programs a plan asks for, attached for as long as this lives: the
/// refusal of directories by name, and histograms of system calls. Each is
/// independent of the other and optional: a refusal by the kernel is one line.
/// Const calls from any thread.
class KernelPrograms {
 public:
  /// Before the walk, in the process that walks. Errors only with
  /// --require-filter: what the kernel answered, as one line.
  static Result<KernelPrograms> attach(const ScanPlan& plan);
  KernelPrograms(KernelPrograms&&) noexcept;
  KernelPrograms& operator=(KernelPrograms&&) noexcept;
  ~KernelPrograms();

  /// For --explain: one for each program that was asked for.
  const std::vector<Decision>& decisions() const { return decisions_; }
  /// What was asked for and is not to be had, a line each.
  const std::vector<std::string>& refusals() const { return refusals_; }

  /// Opens that the filter refused so far; none without it.
  std::optional<std::uint64_t> refused_opens() const;
  std::optional<KernelLatency> latency() const;

 private:
  struct Attached;
  KernelPrograms();
  Result<void> attach_filter(const ScanPlan& plan);
  void attach_latency();

  std::unique_ptr<Attached> attached_;
  std::vector<Decision> decisions_;
  std::vector<std::string> refusals_;
};

}  // namespace pwalk
