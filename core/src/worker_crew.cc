#include "worker_crew.h"

#include <algorithm>
#include <system_error>

#include "numa_memory.h"
#include "pwalk/base/signals_blocked.h"

namespace pwalk {
namespace {

/// What takes longer has waited for something; below it are answers from a cache.
constexpr std::uint64_t kWait = 30'000;

/// Voluntary switches per second that say that threads of a local walk sleep in
/// their calls: a disk makes thousands, a warm cache a few dozen.
constexpr std::uint64_t kSwitchesOfSleepers = 1000;

ThreadController::Bounds bounds_of(const ScanPlan& plan) {
  return {plan.least_threads, plan.threads, plan.most_threads};
}

}  // namespace

WorkerCrew::WorkerCrew(Walk& walk)
    : walk_(walk), workers_(walk.plan.most_threads), wanted_(walk.plan.threads), controller_(bounds_of(walk.plan)) {}

// The gate opens when it is known how many threads there are: fewer than planned
// walk as well, but nothing may be queued where no thread looks.
Result<void> WorkerCrew::start(std::vector<NodePtr> nodes, std::function<void()> on_done) {
  on_done_ = std::move(on_done);
  seen_at_ns_ = walk_.calls.monotonic_ns();
  threads_.reserve(workers_.size());
  const SignalsBlocked inherited;
  while (started() < walk_.plan.threads && start_one()) {
  }
  const unsigned hands = started();
  if (hands == 0) return fail(EAGAIN, "cannot start a single thread");
  wanted_.store(hands, std::memory_order_relaxed);
  // Dealt out in turn, so that every worker has some even without stealing; the
  // last first, since each takes its newest first.
  for (std::size_t root = nodes.size(); root-- > 0;) walk_.frontier.push(unsigned(root % hands), std::move(nodes[root]));
  if (is_adaptive() && hands == walk_.plan.threads) {
    running_.fetch_add(1, std::memory_order_relaxed);
    try {
      governor_ = std::thread([this] { govern(); });
    } catch (const std::system_error&) {
      running_.fetch_sub(1, std::memory_order_relaxed);  // goes on with what there is
    }
  }
  open_.store(true, std::memory_order_release);
  open_.notify_all();
  leave();
  return {};
}

bool WorkerCrew::is_adaptive() const { return walk_.plan.least_threads < walk_.plan.most_threads; }

// False: no memory or no thread for another; a walk needs no more than one.
bool WorkerCrew::start_one() {
  const unsigned number = started();
  running_.fetch_add(1, std::memory_order_relaxed);  // the caller counts too, so this is not 0
  try {
    workers_[number] = std::make_unique<Worker>(number, walk_);
    threads_.emplace_back([this, &worker = *workers_[number]] { run(worker); });
  } catch (const std::system_error&) {
    running_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  } catch (const std::bad_alloc&) {
    running_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  started_.store(number + 1, std::memory_order_release);
  return true;
}

void WorkerCrew::run(Worker& worker) {
  settle(worker.number());
  open_.wait(false, std::memory_order_acquire);
  worker.run();
  end();  // a worker returns only when the walk is over
  leave();
}

void WorkerCrew::end() {
  {
    const std::lock_guard lock(end_mutex_);
    ended_ = true;
  }
  end_bell_.notify_all();
}

// A CPU that has gone meanwhile leaves the worker where the kernel likes.
void WorkerCrew::settle(unsigned number) {
  const std::vector<Place>& places = walk_.plan.places;
  if (!places.empty()) walk_.calls.keep_on(places[number % places.size()].cpus);
  if (walk_.plan.local_memory) prefer_local_memory();
}

// Acquire-release: the last one has seen all that the others did.
void WorkerCrew::leave() {
  if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1 && on_done_) on_done_();
}

void WorkerCrew::join() {
  const std::lock_guard lock(join_mutex_);
  if (governor_.joinable()) governor_.join();  // first: it starts others
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void WorkerCrew::abandon() {
  end();
  const std::lock_guard lock(join_mutex_);
  if (governor_.joinable()) governor_.join();  // it makes no call that could hang
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.detach();
}

void WorkerCrew::govern() {
  open_.wait(false, std::memory_order_acquire);
  while (sleep_through(controller_.window_ns())) heed(controller_.step(observe()));
  leave();
}

/// False: the walk has ended.
bool WorkerCrew::sleep_through(std::uint64_t span_ns) {
  std::unique_lock lock(end_mutex_);
  return !end_bell_.wait_for(lock, std::chrono::nanoseconds(span_ns), [this] { return ended_; });
}

void WorkerCrew::heed(unsigned threads) {
  while (started() < threads && start_one()) {
  }
  walk_.frontier.set_active(threads);
  wanted_.store(std::min(threads, started()), std::memory_order_relaxed);
  reason_.store(controller_.reason(), std::memory_order_relaxed);
}

ThreadController::Window WorkerCrew::observe() {
  const std::uint64_t now = walk_.calls.monotonic_ns();
  const std::uint64_t switches = walk_.calls.voluntary_switches();
  std::uint64_t calls = 0;
  for_each([&](const Worker& worker) {
    const WorkerStats& stats = worker.stats();
    calls += stats.open.calls() + stats.getdents.calls() + stats.statx.calls();
  });
  ThreadController::Window window;
  window.span_ns = now - seen_at_ns_;
  window.calls = calls - seen_calls_;
  window.latency_ns = median_of_waits();
  const unsigned idle = walk_.frontier.sleepers();
  window.busy = wanted() - std::min(wanted(), idle);
  window.calls_sleep = walk_.plan.waits_for_servers() ||
                       (switches - seen_switches_) * 1'000'000'000 > kSwitchesOfSleepers * window.span_ns;
  seen_at_ns_ = now;
  seen_calls_ = calls;
  seen_switches_ = switches;
  return window;
}

// Of the sampled calls of this window that waited: 0 if there were none.
std::uint64_t WorkerCrew::median_of_waits() {
  const unsigned first = LatencyHistogram::slot_of(kWait);
  std::array<std::uint64_t, LatencyHistogram::kSlots> now{};
  for_each([&](const Worker& worker) {
    for (unsigned slot = first; slot < now.size(); ++slot)
      now[slot] += worker.stats().open.histogram().count(slot) + worker.stats().statx.histogram().count(slot);
  });
  LatencySum window;
  for (unsigned slot = first; slot < now.size(); ++slot)
    window.add(slot, now[slot] - seen_waits_[slot]);
  seen_waits_ = now;
  return window.total() == 0 ? 0 : window.quantiles(window.total()).p50_ns;
}

}  // namespace pwalk
