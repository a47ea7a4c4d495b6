#include "pwalk/scanner.h"

#include <latch>
#include <mutex>
#include <system_error>
#include <thread>

#include "walk.h"
#include "worker.h"

namespace pwalk {

struct Scanner::Impl {
  Impl(ScanPlan scan_plan, BatchSink& sink, const sys::Calls& calls)
      : plan(std::move(scan_plan)),
        walk(plan, sink, calls,
             NameFilter::make(plan.exclude_globs, plan.options.traversal.include, plan.options.traversal.ignore_snapshots,
                              plan.filter_names)
                 .value()) {
    for (unsigned number = 0; number < plan.threads; ++number) workers.push_back(std::make_unique<Worker>(number, walk));
  }

  Result<void> start_threads();
  std::vector<NodePtr> root_nodes();
  void run(Worker& worker);
  void join();
  RootStats root_stats(std::uint32_t root) const;
  template <class Sampler>
  LatencyQuantiles latency(Sampler WorkerStats::* sampler) const;

  const ScanPlan plan;
  Walk walk;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::thread> threads;
  std::mutex join_mutex;
  std::latch gate{1};
  std::function<void()> on_done;
  std::atomic<unsigned> started{0};  ///< threads; fewer than planned if no more could be had
  std::atomic<unsigned> running{0};
};

Scanner::Scanner(ScanPlan plan, BatchSink& sink) : Scanner(std::move(plan), sink, sys::real_calls()) {}

Scanner::Scanner(ScanPlan plan, BatchSink& sink, const sys::Calls& calls)
    : impl_(std::make_unique<Impl>(std::move(plan), sink, calls)) {}

Scanner::~Scanner() {
  cancel();
  impl_->join();
}

Result<void> Scanner::start(std::function<void()> on_done) {
  Impl& impl = *impl_;
  impl.on_done = std::move(on_done);
  impl.walk.calls.raise_descriptor_limit(impl.walk.calls.descriptor_limit().hard);
  return impl.start_threads();
}

void Scanner::cancel() { impl_->walk.stop.store(true, std::memory_order_relaxed); }

ScanStats Scanner::wait() {
  impl_->join();
  return stats();
}

const ScanPlan& Scanner::plan() const { return impl_->plan; }

ScanStats Scanner::stats() const {
  const Impl& impl = *impl_;
  ScanStats stats;
  for (std::uint32_t root = 0; root < impl.plan.roots.size(); ++root) {
    stats.roots.push_back(impl.root_stats(root));
    stats.counts.add(stats.roots.back().counts);
  }
  stats.open = impl.latency(&WorkerStats::open);
  stats.getdents = impl.latency(&WorkerStats::getdents);
  stats.statx = impl.latency(&WorkerStats::statx);
  stats.threads = impl.started.load(std::memory_order_relaxed);
  stats.waiting_directories = impl.walk.frontier.outstanding();
  const std::uint64_t now = impl.walk.calls.monotonic_ns();
  for (const auto& worker : impl.workers) {
    stats.batches += worker->stats().batches.load(std::memory_order_relaxed);
    if (const WorkerTime time = worker->stats().time.at(now); time.total_ns != 0) stats.workers.push_back(time);
  }
  stats.complete = stats.threads != 0 && stats.waiting_directories == 0 && !impl.walk.stop.load(std::memory_order_relaxed);
  return stats;
}

// The gate opens when it is known how many threads there are: fewer than planned
// walk as well, but nothing may be queued where no thread looks.
Result<void> Scanner::Impl::start_threads() {
  std::vector<NodePtr> nodes = root_nodes();
  threads.reserve(workers.size());
  for (const auto& worker : workers) {
    try {
      threads.emplace_back([this, &each = *worker] { run(each); });
    } catch (const std::system_error&) {
      break;
    }
  }
  if (threads.empty()) return fail(EAGAIN, "cannot start a single thread");
  const auto hands = unsigned(threads.size());
  started.store(hands, std::memory_order_relaxed);
  running.store(hands, std::memory_order_relaxed);  // published by the gate
  // Dealt out in turn, so that every worker has some even without stealing; the
  // last first, since each takes its newest first.
  for (std::size_t root = nodes.size(); root-- > 0;) walk.frontier.push(unsigned(root % hands), std::move(nodes[root]));
  gate.count_down();
  return {};
}

std::vector<NodePtr> Scanner::Impl::root_nodes() {
  std::vector<NodePtr> nodes;
  for (std::uint32_t root = 0; root < plan.roots.size(); ++root) {
    DirectoryNode::Origin origin;
    origin.root = root;
    nodes.push_back(DirectoryNode::make({}, plan.roots[root].given, origin));
  }
  return nodes;
}

void Scanner::Impl::run(Worker& worker) {
  gate.wait();
  worker.run();
  // Acquire-release: the last one has seen all that the others did.
  if (running.fetch_sub(1, std::memory_order_acq_rel) == 1 && on_done) on_done();
}

void Scanner::Impl::join() {
  const std::lock_guard lock(join_mutex);
  for (std::thread& thread : threads)
    if (thread.joinable()) thread.join();
}

RootStats Scanner::Impl::root_stats(std::uint32_t root) const {
  const PlannedRoot& planned = plan.roots[root];
  RootStats stats;
  stats.path = planned.path;
  stats.mount = planned.mount;
  stats.filesystem = planned.filesystem;
  stats.profile = OptionValue<Profile>::print(planned.profile);
  std::uint64_t finished = 0, pushed = 1;  // the root itself
  for (const auto& worker : workers) finished += worker->stats().tallies[root].finished();
  for (const auto& worker : workers) {
    const RootTally& tally = worker->stats().tallies[root];
    pushed += tally.pushed();
    stats.counts.add(tally.shown());
  }
  stats.complete = finished == pushed && !walk.cut_short[root].load(std::memory_order_relaxed);
  return stats;
}

template <class Sampler>
LatencyQuantiles Scanner::Impl::latency(Sampler WorkerStats::* sampler) const {
  LatencySum sum;
  std::uint64_t calls = 0;
  for (const auto& worker : workers) {
    sum.add((worker->stats().*sampler).histogram());
    calls += (worker->stats().*sampler).calls();
  }
  return sum.quantiles(calls);
}

}  // namespace pwalk
