// Walks PATHs, builds an image of them and asks it: what it weighs, what building
// cost, how long opening and looking up take.
//
//   image_figures [--file FILE] [--lookups N] [--threads N] PATH...
//   image_figures --image FILE [--lookups N]              asks an image that is there
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "pwalk/image/image_writer.h"
#include "pwalk/image/results_filesystem.h"
#include "pwalk/image/tree_walk.h"
#include "pwalk/scanner.h"

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point from) { return std::chrono::duration<double>(Clock::now() - from).count(); }

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "image_figures: %s\n", why.c_str());
  std::exit(1);
}

template <class T>
T must(pwalk::Result<T> result) {
  if (!result) give_up(result.error().message());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// Keeps copies of all batches, 64-byte aligned.
class KeepingSink : public pwalk::BatchSink {
 public:
  struct Kept {
    unsigned lane;
    std::byte* bytes;
    std::size_t size;
  };
  pwalk::Result<void> accept(unsigned worker, const pwalk::schema::FinishedBatch& batch) override {
    auto* copy = static_cast<std::byte*>(std::aligned_alloc(64, (batch.bytes.size() + 63) / 64 * 64));
    std::copy(batch.bytes.begin(), batch.bytes.end(), copy);
    const std::lock_guard alone(mutex_);
    kept_.push_back({worker, copy, batch.bytes.size()});
    return {};
  }
  std::size_t max_batch_bytes() const override { return std::size_t{64} << 20; }
  const std::vector<Kept>& kept() const { return kept_; }

 private:
  std::mutex mutex_;
  std::vector<Kept> kept_;
};

void build(const std::string& file, const pwalk::image::ScanFacts& facts, const KeepingSink& sink) {
  const auto from = Clock::now();
  const double cpu = cpu_seconds();
  auto writer = must(pwalk::image::ImageWriter::create(file, facts));
  std::vector<std::uint64_t> next(1024);
  for (const auto& kept : sink.kept()) {
    const auto view = must(pwalk::schema::EntryBatchView::check({kept.bytes, kept.size}));
    must(writer.append(kept.lane, next[kept.lane]++, view));
    if (writer.commit_due()) must(writer.commit());
  }
  must(writer.finish(pwalk::image::ImageState::complete, 1));
  std::printf("build            %8.1f ms wall, %.1f ms CPU\n", since(from) * 1e3, (cpu_seconds() - cpu) * 1e3);
}

void quantiles(const char* what, std::vector<double>& ns) {
  std::sort(ns.begin(), ns.end());
  std::printf("%-16s %8.0f ns p50, %.0f ns p99, %.0f ns worst\n", what, ns[ns.size() / 2], ns[ns.size() * 99 / 100], ns.back());
}

/// Lookups in a handle nobody has used: checks of pages and batches are in the figures.
/// The text of the path is the caller's and in its cache, as if it had just been made.
void look_up(const std::string& file, const std::vector<std::string>& paths, std::size_t lookups, const char* what) {
  const auto results = must(pwalk::ResultsFilesystem::open(file));
  std::mt19937_64 random(1);
  std::vector<double> ns;
  std::string path;
  for (std::size_t i = 0; i < lookups; ++i) {
    path = paths[random() % paths.size()];
    const auto from = Clock::now();
    const auto entry = results.stat(path);
    ns.push_back(since(from) * 1e9);
    if (!entry) give_up(entry.error().message());
  }
  quantiles(what, ns);
}

std::vector<std::string> walk_all(const std::string& file, const std::vector<std::string>& roots) {
  std::vector<std::string> paths;
  for (const bool keep : {false, true}) {
    const auto from = Clock::now();
    const auto results = must(pwalk::ResultsFilesystem::open(file));
    std::uint64_t bytes = 0;
    for (const std::string& root : roots) {
      auto walk = must(pwalk::TreeWalk::start(results, root, {}));
      while (must(walk.next())) {
        bytes += walk.entry().get<std::uint64_t>(pwalk::schema::Column::size);
        if (keep) paths.emplace_back(walk.path());
      }
    }
    if (!keep) std::printf("open and walk    %8.1f ms, %llu bytes seen\n", since(from) * 1e3, (unsigned long long)bytes);
  }
  return paths;
}

/// Opens it, goes through it and looks up random paths of it.
void ask(const std::string& file, std::size_t lookups) {
  const auto opening = Clock::now();
  const auto results = must(pwalk::ResultsFilesystem::open(file));
  std::printf("open             %8.3f ms\n", since(opening) * 1e3);
  const auto& totals = results.totals();
  std::printf("entries          %8llu in %llu directories, %llu batches\n", (unsigned long long)totals.rows,
              (unsigned long long)totals.records, (unsigned long long)totals.batches);
  std::printf("bytes per entry  %8.2f\n", double(results.bytes()) / double(totals.rows));
  const auto paths = walk_all(file, results.facts().roots);
  look_up(file, paths, lookups, "stat, cold");
  look_up(file, paths, lookups, "stat, again");
}

void walk_and_build(const std::string& file, const pwalk::ScanOptions& options, const std::vector<std::string>& roots) {
  auto plan = must(pwalk::resolve_plan(options, roots));
  pwalk::image::ScanFacts facts;
  for (const auto& root : plan.roots) facts.roots.push_back(root.path);
  facts.columns = plan.columns;
  KeepingSink sink;
  const auto from = Clock::now();
  pwalk::Scanner scanner(std::move(plan), sink);
  must(scanner.start());
  scanner.wait();
  std::printf("walk alone       %8.1f ms\n", since(from) * 1e3);
  build(file, facts, sink);
}

}  // namespace

int main(int count, char** words) {
  std::string file = "/dev/shm/image_figures." + std::to_string(::getpid());
  std::size_t lookups = 200'000;
  pwalk::ScanOptions options;
  std::string image;
  std::vector<std::string> roots;
  for (int at = 1; at < count; ++at) {
    const std::string word = words[at];
    if (word == "--image" && at + 1 < count) image = words[++at];
    else if (word == "--file" && at + 1 < count) file = words[++at];
    else if (word == "--lookups" && at + 1 < count) lookups = std::strtoull(words[++at], nullptr, 10);
    else if (word == "--threads" && at + 1 < count) options.threads.auto_tune = false, options.threads.max_threads = unsigned(std::atoi(words[++at]));
    else roots.push_back(word);
  }
  if (!image.empty()) return ask(image, lookups), 0;
  if (roots.empty()) give_up("which PATH?");
  walk_and_build(file, options, roots);
  ask(file, lookups);
  ::unlink(file.c_str());
}
