// Walks PATHs with the given plan and drops every batch: what the walk itself
// costs, to be run in pairs with a bare floor (one getdents64 and statx loop).
//
//   null_sink_walk [--OPTION[=VALUE]...] PATH...      any option of a walk: --max-threads=2 --no-stat
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

/// Takes `--NAME=VALUE` or `--SWITCH` for any option of a walk.
bool set_option(pwalk::ScanOptions& options, std::string_view word) {
  const std::string_view name = word.substr(2, word.find('=') - 2);
  const std::string_view text = word.find('=') == word.npos ? "true" : word.substr(word.find('=') + 1);
  bool done = false;
  pwalk::for_each_scan_option(options, [&](auto& group, const auto& spec) {
    if (spec.name != name) return;
    using Value = typename std::decay_t<decltype(spec)>::value_type;
    auto value = pwalk::OptionValue<Value>::parse(text);
    if (value) group.*spec.member = *std::move(value), done = true;
  });
  return done;
}

Request parse(int count, char** words) {
  Request request;
  for (int at = 1; at < count; ++at) {
    const std::string word = words[at];
    if (word.rfind("--", 0) != 0)
      request.roots.push_back(word);
    else if (!set_option(request.options, word))
      std::exit((std::fprintf(stderr, "null_sink_walk: bad option %s\n", word.c_str()), 2));
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
