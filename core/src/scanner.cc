#include "pwalk/scanner.h"

#include "sys/paced_calls.h"
#include "walk.h"
#include "worker_crew.h"

namespace pwalk {

struct Scanner::Impl {
  Impl(ScanPlan scan_plan, BatchSink& sink, const sys::Calls& calls, WalkControl* control, const KnownTree* known)
      : plan(std::move(scan_plan)),
        paced(pace(plan, calls)),
        walk(plan, sink, paced ? *paced : calls, stop,
             NameFilter::make(plan.exclude_globs, plan.options.traversal.include, plan.options.traversal.ignore_snapshots,
                              plan.filter_names)
                 .value(),
             control, known),
        crew(walk) {}

  std::unique_ptr<sys::PacedCalls> pace(const ScanPlan& scan_plan, const sys::Calls& calls) const {
    const auto& most = scan_plan.options.etiquette.max_ops_per_second;
    return most ? std::make_unique<sys::PacedCalls>(calls, *most, stop) : nullptr;
  }
  std::vector<NodePtr> root_nodes();
  RootStats root_stats(std::uint32_t root) const;
  template <class Sampler>
  LatencyQuantiles latency(Sampler WorkerStats::* sampler) const;

  const ScanPlan plan;
  std::atomic<bool> stop{false};  ///< see Walk::stop
  const std::unique_ptr<sys::PacedCalls> paced;
  Walk walk;
  WorkerCrew crew;
};

Scanner::Scanner(ScanPlan plan, BatchSink& sink, WalkControl* control, const KnownTree* known)
    : Scanner(std::move(plan), sink, sys::real_calls(), control, known) {}

Scanner::Scanner(ScanPlan plan, BatchSink& sink, const sys::Calls& calls, WalkControl* control, const KnownTree* known)
    : impl_(std::make_shared<Impl>(std::move(plan), sink, calls, control, known)) {}

Scanner::~Scanner() {
  cancel();
  impl_->crew.join();
}

Result<void> Scanner::start(std::function<void()> on_done) {
  Impl& impl = *impl_;
  impl.walk.calls.raise_descriptor_limit(impl.walk.calls.descriptor_limit().hard);
  return impl.crew.start(impl.root_nodes(), std::move(on_done), impl_);
}

void Scanner::cancel() { impl_->walk.stop.store(true, std::memory_order_relaxed); }

ScanStats Scanner::wait() {
  impl_->crew.join();
  return stats();
}

void Scanner::abandon() { impl_->crew.abandon(); }

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
  stats.threads = impl.crew.started();
  stats.wanted_threads = impl.crew.wanted();
  stats.threads_reason = impl.crew.reason();
  stats.backend = impl.walk.used_ring.load(std::memory_order_relaxed) ? "io_uring" : impl.walk.attributes.name(impl.plan.statx_mask);
  stats.hung = impl.crew.hung();
  stats.waiting_directories = impl.walk.frontier.outstanding();
  const std::uint64_t now = impl.walk.calls.monotonic_ns();
  impl.crew.for_each([&](const Worker& worker) {
    stats.batches += worker.stats().batches.load(std::memory_order_relaxed);
    stats.repeated_directories += worker.stats().repeated_directories.load(std::memory_order_relaxed);
    if (const WorkerTime time = worker.stats().time.at(now); time.total_ns != 0) stats.workers.push_back(time);
  });
  stats.complete = stats.threads != 0 && stats.hung.empty() && stats.waiting_directories == 0 && !impl.walk.stop.load(std::memory_order_relaxed);
  return stats;
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

RootStats Scanner::Impl::root_stats(std::uint32_t root) const {
  const PlannedRoot& planned = plan.roots[root];
  RootStats stats;
  stats.path = planned.path;
  stats.mount = planned.mount;
  stats.filesystem = planned.filesystem;
  stats.profile = OptionValue<Profile>::print(planned.profile);
  stats.mounts = walk.mounts.entered(root);
  std::uint64_t finished = 0, pushed = 1;  // the root itself
  crew.for_each([&](const Worker& worker) { finished += worker.stats().tallies[root].finished(); });
  crew.for_each([&](const Worker& worker) {
    const RootTally& tally = worker.stats().tallies[root];
    pushed += tally.pushed();
    stats.counts.add(tally.shown());
  });
  stats.complete = finished == pushed && !walk.cut_short[root].load(std::memory_order_relaxed);
  return stats;
}

template <class Sampler>
LatencyQuantiles Scanner::Impl::latency(Sampler WorkerStats::* sampler) const {
  LatencySum sum;
  std::uint64_t calls = 0;
  crew.for_each([&](const Worker& worker) {
    sum.add((worker.stats().*sampler).histogram());
    calls += (worker.stats().*sampler).calls();
  });
  return sum.quantiles(calls);
}

}  // namespace pwalk
