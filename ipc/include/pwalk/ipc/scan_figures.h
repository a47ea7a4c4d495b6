#pragma once

#include <array>
#include <cstdint>

namespace pwalk::ipc {

/// Latency of one kind of system call so far, from a sample.
struct OperationFigures {
  std::uint64_t p50_ns = 0, p99_ns = 0, count = 0;
};

/// What a scan has done so far and what it costs, told by the scanner about ten times
/// a second and read by its consumers from shared memory. Sums since the walk began:
/// a rate is the difference of two of them over that of `elapsed_ns`.
struct ScanFigures {
  std::uint64_t elapsed_ns = 0;      ///< since the walk began; stands still after its end
  std::uint64_t entries = 0, files = 0, directories = 0, symlinks = 0, others = 0;
  std::uint64_t errors = 0, vanished = 0, skipped = 0;
  std::uint64_t file_bytes = 0;      ///< sizes of regular files, each link counted
  std::uint64_t batches = 0;
  std::uint64_t waiting_directories = 0;
  std::uint64_t threads = 0;
  std::uint64_t thread_ns = 0;       ///< all threads' time together, busy or not
  std::uint64_t busy_ns = 0;         ///< of which they had a directory to read and room to publish
  std::uint64_t cpu_ns = 0;          ///< of the scanner process, user and system
  std::uint64_t memory_bytes = 0;    ///< its resident set, the pool included
  std::uint64_t peak_memory_bytes = 0;
  std::uint64_t backpressure_ns = 0; ///< threads' time spent waiting for consumers
  OperationFigures open, getdents, statx;

  /// Share of the threads' time in which they could work: 1 is ideal.
  double thread_efficiency() const { return thread_ns ? double(busy_ns) / double(thread_ns) : 0; }
};

}  // namespace pwalk::ipc
