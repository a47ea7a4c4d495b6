#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "pwalk/ipc/scan_session.h"
#include "pwalk/kernel_programs.h"
#include "pwalk/publish/publisher.h"
#include "pwalk/scan_plan.h"

namespace pwalk::tools {

/// What the process used, from getrusage(2).
struct ProcessUsage {
  double cpu_seconds = 0;                ///< user and system, all threads
  std::uint64_t peak_memory_bytes = 0;   ///< high-water mark of its resident set
};
ProcessUsage process_usage();

/// Everything that is said of a scan when it is over.
struct ScanSummary {
  std::string name, host, backend, pages;
  unsigned uid = 0;
  std::chrono::system_clock::time_point started, finished;
  std::vector<std::string> roots;
  std::optional<KernelLatency> kernel_latency;   ///< with --kernel-latency
  std::optional<std::uint64_t> refused_opens;    ///< with --filter-names
  publish::Outcome outcome;
  ProcessUsage usage;

  /// The object that --json prints.
  nlohmann::ordered_json to_json() const;
  /// A line or two for people, safe to show.
  std::string to_text() const;

  bool complete() const;
  /// 0, 1 or 3.
  int exit_code() const;
};

/// RFC 3339 in UTC with milliseconds.
std::string rfc3339(std::chrono::system_clock::time_point when);

}  // namespace pwalk::tools
