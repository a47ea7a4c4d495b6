#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pwalk/schema/columns.h"

namespace pwalk {

/// Counters of a walk. Conservation: entries == files + directories + symlinks
/// + others, and every name found is in entries or in skipped.
struct ScanCounts {
  std::uint64_t entries = 0;      ///< rows
  std::uint64_t files = 0;        ///< regular files
  std::uint64_t directories = 0;
  std::uint64_t symlinks = 0;
  std::uint64_t others = 0;       ///< FIFOs, sockets, devices, unknown
  std::uint64_t errors = 0;       ///< rows and directory records with an errno
  std::uint64_t vanished = 0;     ///< rows and directory records gone meanwhile
  std::uint64_t skipped = 0;      ///< names left out: snapshots, exclude, include
  std::uint64_t bytes = 0;        ///< sizes of regular files, each link counted, saturated

  void add(const ScanCounts& other);
};

/// Latency of one kind of system call, nanoseconds.
struct LatencyQuantiles {
  std::uint64_t p50_ns = 0, p99_ns = 0, count = 0;
};

/// One thread of a walk: how long it was there, and how long of that it had nothing
/// to read. Waiting for room to publish is not idleness here, and a parked thread is not there.
struct WorkerTime {
  std::uint64_t total_ns = 0, idle_ns = 0;

  double efficiency() const { return total_ns ? double(total_ns - idle_ns) / double(total_ns) : 0; }
};

/// A mount that a walk entered below a root.
struct MountStats {
  std::string mount, filesystem, profile;
};

/// A directory that was given up: a call about it did not come back in time.
struct HungDirectory {
  std::string path;
  schema::Operation operation = schema::Operation::none;
};

struct RootStats {
  std::string path;        ///< absolute, as rows show it
  std::string mount;       ///< mount point
  std::string filesystem;  ///< type as in mountinfo
  std::string profile;
  std::vector<MountStats> mounts;  ///< others that were entered below it
  ScanCounts counts;
  bool complete = false;   ///< walked to the end (errors on entries allowed)
};

/// A snapshot; taken at any time from any thread.
struct ScanStats {
  ScanCounts counts;
  std::vector<RootStats> roots;
  LatencyQuantiles open, getdents, statx;
  unsigned threads = 0;          ///< started so far
  unsigned wanted_threads = 0;   ///< that walk now; the rest is parked
  const char* threads_reason = "";  ///< why so many, where the number adapts; lives for ever
  std::vector<WorkerTime> workers;  ///< of the threads that were started
  const char* backend = "";      ///< what asked the attributes: "statx", "fstatat", "io_uring", "" for none; lives for ever
  std::vector<HungDirectory> hung;
  std::uint64_t waiting_directories = 0;
  std::uint64_t batches = 0;
  std::uint64_t repeated_directories = 0;  ///< not read, since an earlier scan knew them (KnownTree)
  bool complete = false;
};

}  // namespace pwalk
