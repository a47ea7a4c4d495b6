#include "worker_crew.h"

#include <algorithm>
#include <limits>
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

/// After so long rows are not kept back for a call any more.
constexpr std::uint64_t kLongCall = 500'000'000;

/// A call this long says that whoever serves it is in trouble.
constexpr std::uint64_t kStall = 5'000'000'000;

constexpr std::uint64_t kForEver = std::numeric_limits<std::uint64_t>::max();

ThreadController::Bounds bounds_of(const ScanPlan& plan) {
  return {plan.least_threads, plan.threads, plan.most_threads};
}

}  // namespace

WorkerCrew::WorkerCrew(Walk& walk)
    : walk_(walk), workers_(walk.plan.most_threads), wanted_(walk.plan.threads), controller_(bounds_of(walk.plan)) {}

// The gate opens when it is known how many threads there are: fewer than planned
// walk as well, but nothing may be queued where no thread looks.
Result<void> WorkerCrew::start(std::vector<NodePtr> nodes, std::function<void()> on_done, std::shared_ptr<void> owner) {
  on_done_ = std::move(on_done);
  owner_ = std::move(owner);
  seen_at_ns_ = walk_.calls.monotonic_ns();
  hands_.reserve(workers_.size());
  const SignalsBlocked inherited;
  while (started() < walk_.plan.threads && start_one()) {
  }
  const unsigned hands = started();
  if (hands == 0) {
    owner_.reset();
    return fail(EAGAIN, "cannot start a single thread");
  }
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
  try {
    watchdog_ = std::thread([this] { watch(); });
  } catch (const std::system_error&) {  // nobody is given up then
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
    Hand hand;
    hand.thread = std::thread([this, &worker = *workers_[number], back = hand.back, owner = owner_] { run(worker, *back); });
    const std::lock_guard lock(hands_mutex_);
    hands_.push_back(std::move(hand));  // has its room
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

void WorkerCrew::run(Worker& worker, std::atomic<bool>& back) {
  settle(worker.number());
  open_.wait(false, std::memory_order_acquire);
  work(back, [&] { worker.run(); });
}

template <class Walk>
void WorkerCrew::work(std::atomic<bool>& back, Walk&& walk) {
  try {
    walk();
  } catch (const GivenUp&) {  // another thread is this worker now
    back.store(true, std::memory_order_release);
    return;
  }
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
  if (running_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (on_done_) on_done_();
  {
    const std::lock_guard lock(end_mutex_);
    finished_.store(true, std::memory_order_release);
  }
  end_bell_.notify_all();
  finished_.notify_all();
}

void WorkerCrew::join() {
  const std::lock_guard lock(join_mutex_);
  if (started() == 0) return;
  finished_.wait(false, std::memory_order_acquire);
  if (governor_.joinable()) governor_.join();  // these two first: they start others
  if (watchdog_.joinable()) watchdog_.join();
  const std::lock_guard hands(hands_mutex_);
  for (Hand& hand : hands_)
    if (hand.thread.joinable()) hand.thread.join();
  for (Hand& hand : given_up_) {
    if (!hand.thread.joinable()) continue;
    hand.back->load(std::memory_order_acquire) ? hand.thread.join() : hand.thread.detach();
  }
  owner_.reset();
}

std::vector<HungDirectory> WorkerCrew::hung() const {
  const std::lock_guard lock(hands_mutex_);
  return hung_;
}

void WorkerCrew::abandon() {
  end();
  const std::lock_guard lock(join_mutex_);
  {
    const std::lock_guard bell(end_mutex_);
    abandoned_ = true;
  }
  end_bell_.notify_all();
  if (governor_.joinable()) governor_.join();  // these two make no call that could hang
  if (watchdog_.joinable()) watchdog_.join();
  const std::lock_guard hands(hands_mutex_);
  for (std::vector<Hand>* list : {&hands_, &given_up_})
    for (Hand& hand : *list)
      if (hand.thread.joinable()) hand.thread.detach();
}

// A call under way longer than kStall is a sign of distress; one longer than the
// time-out is given up. Looks from outside, so that threads pay next to nothing.
void WorkerCrew::watch() {
  struct Sight {
    std::uint64_t word = 0, since_ns = 0;
    bool flushed = false, stalls = false;
  };
  std::vector<Sight> sights(workers_.size());
  const EtiquetteOptions& asked = walk_.plan.options.etiquette;
  // Under a cap each thread waits for its turn within its call.
  const double turn = asked.max_ops_per_second ? 2.0 * walk_.plan.most_threads / *asked.max_ops_per_second : 0;
  const auto turn_ns = std::uint64_t(turn * 1e9);
  const double hang_timeout = asked.hang_timeout.value;
  const std::uint64_t patience = hang_timeout > 0 ? turn_ns + std::uint64_t(hang_timeout * 1e9) : kForEver;
  const auto pause = std::chrono::nanoseconds(std::clamp<std::uint64_t>(patience / 8, 1'000'000, 500'000'000));
  const auto slept = [&] {
    std::unique_lock lock(end_mutex_);
    return !end_bell_.wait_for(lock, pause, [this] { return abandoned_ || finished_.load(std::memory_order_relaxed); });
  };
  while (slept()) {
    const std::uint64_t now = walk_.calls.monotonic_ns();
    for (unsigned number = 0; number < started(); ++number) {
      Sight& sight = sights[number];
      CallGuard& guard = workers_[number]->guard();
      if (const std::uint64_t word = guard.word(); word % 2 == 0 || word != sight.word) {
        sight = {word, now, false, false};
        continue;
      }
      // What the worker found before it began to wait must not wait with it.
      if (!sight.flushed && now - sight.since_ns > kLongCall + turn_ns)
        sight.flushed = guard.borrow(sight.word, [&] { workers_[number]->flush_for_another(); });
      if (!sight.stalls && now - sight.since_ns > kStall + turn_ns) {
        sight.stalls = true;
        stalls_.fetch_add(1, std::memory_order_relaxed);
      }
      if (now - sight.since_ns > patience && give_up(*workers_[number], sight.word)) {
        replace(number);
        sight = {};
      }
    }
  }
}

bool WorkerCrew::give_up(Worker& worker, std::uint64_t word) {
  try {
    worker.prepare_to_disown();
  } catch (const std::bad_alloc&) {
    return false;  // next time, perhaps
  }
  return worker.guard().give_up(word, [&] { worker.disown(); });
}

// The worker is the watchdog's here, and the new thread's from then on.
void WorkerCrew::replace(unsigned number) {
  Worker& worker = *workers_[number];
  Hand hand;
  try {
    hand.thread = std::thread([this, &worker, back = hand.back, owner = owner_] { work(*back, [&] { replay(worker); }); });
  } catch (const std::system_error&) {  // then nobody watches any more
    work(*hand.back, [&] { replay(worker); });
  }
  const std::lock_guard lock(hands_mutex_);
  given_up_.push_back(std::exchange(hands_[number], std::move(hand)));
}

void WorkerCrew::replay(Worker& worker) {
  settle(worker.number());
  HungDirectory hung = worker.take_over();
  {
    const std::lock_guard lock(hands_mutex_);
    hung_.push_back(std::move(hung));
  }
  worker.run_on();
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
  std::uint64_t calls = 0, distress = stalls_.load(std::memory_order_relaxed);
  for_each([&](const Worker& worker) {
    const WorkerStats& stats = worker.stats();
    distress += stats.distress.load(std::memory_order_relaxed);
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
  window.distress = distress != seen_distress_;
  seen_distress_ = distress;
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
