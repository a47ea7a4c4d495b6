// Walks PATHs with the given plan and drops every batch: what the walk itself
// costs, to be run in pairs with a bare floor (one getdents64 and statx loop).
//
//   null_sink_walk [--threads N] [--columns LIST] [--no-stat] PATH...
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "pwalk/scanner.h"

namespace {

/// Counts what it is given and forgets it.
class NullSink : public pwalk::BatchSink {
 public:
  pwalk::Result<void> accept(unsigned, const pwalk::schema::FinishedBatch& batch) override {
    bytes_.fetch_add(batch.bytes.size(), std::memory_order_relaxed);
    hash_.fetch_add(batch.content_hash, std::memory_order_relaxed);
    return {};
  }
  std::size_t max_batch_bytes() const override { return std::size_t{64} << 20; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t hash() const { return hash_; }

 private:
  std::atomic<std::uint64_t> bytes_{0}, hash_{0};
};

double seconds(const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) * 1e-6; }

struct Request {
  pwalk::ScanOptions options;
  std::vector<std::string> roots;
};

Request parse(int count, char** words) {
  Request request;
  for (int at = 1; at < count; ++at) {
    const std::string word = words[at];
    if (word == "--threads" && at + 1 < count) {
      request.options.threads.auto_tune = false;
      request.options.threads.max_threads = unsigned(std::atoi(words[++at]));
    } else if (word == "--columns" && at + 1 < count) {
      request.options.attributes.columns = words[++at];
    } else if (word == "--no-stat") {
      request.options.attributes.no_stat = true;
    } else {
      request.roots.push_back(word);
    }
  }
  return request;
}

void print(const pwalk::ScanStats& stats, const NullSink& sink, double wall) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "entries=%llu wall=%.3f user=%.3f sys=%.3f eps=%.0f rssMB=%.1f err=%llu getdents=%llu opens=%llu batches=%llu "
      "MB=%.1f hash=%016llx\n",
      (unsigned long long)stats.counts.entries, wall, seconds(usage.ru_utime), seconds(usage.ru_stime),
      double(stats.counts.entries) / wall, double(usage.ru_maxrss) / 1024, (unsigned long long)stats.counts.errors,
      (unsigned long long)stats.getdents.count, (unsigned long long)stats.open.count, (unsigned long long)stats.batches,
      double(sink.bytes()) / 1e6, (unsigned long long)sink.hash());
}

}  // namespace

int main(int count, char** words) {
  const Request request = parse(count, words);
  const auto plan = pwalk::resolve_plan(request.options, request.roots);
  if (!plan) {
    std::fprintf(stderr, "null_sink_walk: %s\n", plan.error().message().c_str());
    return 2;
  }
  NullSink sink;
  const auto start = std::chrono::steady_clock::now();
  pwalk::Scanner scanner(*plan, sink);
  if (!scanner.start()) return 3;
  const pwalk::ScanStats stats = scanner.wait();
  print(stats, sink, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  return stats.complete ? 0 : 3;
}
