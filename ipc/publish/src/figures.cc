#include "figures.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "pwalk/base/unique_fd.h"

namespace pwalk::publish {
namespace {

std::uint64_t nanoseconds(const timeval& time) {
  return std::uint64_t(time.tv_sec) * 1'000'000'000 + std::uint64_t(time.tv_usec) * 1000;
}

/// Second field of /proc/self/statm (proc(5)), in bytes; 0 without /proc.
std::uint64_t resident_bytes() {
  const UniqueFd file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  char text[128];
  const ssize_t got = file ? ::read(file.get(), text, sizeof text) : -1;
  if (got <= 0) return 0;
  const char* const begin = text;
  const char* const end = begin + got;
  const char* at = std::find(begin, end, ' ');
  std::uint64_t pages = 0;
  if (at == end || std::from_chars(at + 1, end, pages).ec != std::errc{}) return 0;
  return pages * std::uint64_t(::sysconf(_SC_PAGESIZE));
}

void add_process(ipc::ScanFigures& figures) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  figures.cpu_ns = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
  figures.peak_memory_bytes = std::uint64_t(usage.ru_maxrss) * 1024;
  figures.memory_bytes = resident_bytes();
}

void add_threads(const ScanStats& stats, ipc::ScanFigures& figures) {
  std::uint64_t idle = 0;
  for (const WorkerTime& worker : stats.workers) figures.thread_ns += worker.total_ns, idle += worker.idle_ns;
  figures.threads = stats.threads;
  figures.busy_ns = figures.thread_ns - std::min(figures.thread_ns, idle + figures.backpressure_ns);
}

ipc::OperationFigures operation(const LatencyQuantiles& latency) {
  return {latency.p50_ns, latency.p99_ns, latency.count};
}

}  // namespace

ipc::ScanFigures figures_of(const ScanStats& stats, std::chrono::nanoseconds elapsed,
                            std::chrono::nanoseconds backpressure) {
  const ScanCounts& counts = stats.counts;
  ipc::ScanFigures figures;
  figures.elapsed_ns = std::uint64_t(elapsed.count());
  figures.entries = counts.entries;
  figures.files = counts.files;
  figures.directories = counts.directories;
  figures.symlinks = counts.symlinks;
  figures.others = counts.others;
  figures.errors = counts.errors;
  figures.vanished = counts.vanished;
  figures.skipped = counts.skipped;
  figures.file_bytes = counts.bytes;
  figures.batches = stats.batches;
  figures.waiting_directories = stats.waiting_directories;
  figures.backpressure_ns = std::uint64_t(backpressure.count());
  add_threads(stats, figures);
  add_process(figures);
  figures.open = operation(stats.open);
  figures.getdents = operation(stats.getdents);
  figures.statx = operation(stats.statx);
  return figures;
}

}  // namespace pwalk::publish
