#include "thread_controller.h"

#include <algorithm>

namespace pwalk {
namespace {

constexpr double kWorthIt = 1.05;      ///< an increase that completes less than this is taken back
constexpr double kTooDear = 0.95;      ///< and a decrease that leaves less than this of the best
constexpr double kShortQueue = 3, kLongQueue = 6;
constexpr double kForgetting = 0.995;  ///< of the best rate, per window
constexpr unsigned kReprobe = 64;      ///< windows after which the least latency is looked for anew
constexpr unsigned kLongestPatience = 64;
constexpr std::uint64_t kShortestWindow = 10'000'000, kLongestWindow = 500'000'000;
constexpr std::uint64_t kLatenciesPerWindow = 8;

unsigned an_eighth(unsigned threads) { return std::max(1u, threads / 8); }

}  // namespace

unsigned ThreadController::step(const Window& window) {
  if (window.span_ns == 0) return threads_;
  const double rate = double(window.calls) / double(window.span_ns);
  note(window, rate);
  if (window.distress) {
    before_ = 0;
    probing_ = false;
    phase_ = Phase::steady;
    patience_ = kLongestPatience;
    change_to(threads_ / 2, rate, "halved: errors or stalls");
    before_ = 0;  // not a trial
  } else if (!window.calls_sleep) {
    before_ = 0;
    probing_ = false;
    phase_ = Phase::climbing;  // it may be different in the next part of the tree
    if (threads_ != bounds_.start) threads_ = bounds_.start, reason_ = "calls do not sleep: bound by CPUs";
  } else if (window.busy * 2 >= threads_) {
    judge(rate);
  } else {
    before_ = 0;  // work is scarce: nothing can be learnt
    probing_ = false;
  }
  return threads_;
}

void ThreadController::note(const Window& window, double rate) {
  best_rate_ = std::max(best_rate_ * kForgetting, rate);
  if (window.latency_ns == 0) return;
  latency_ns_ = window.latency_ns;
  if (least_latency_ns_ == 0 || latency_ns_ < least_latency_ns_) least_latency_ns_ = latency_ns_;
}

void ThreadController::judge(double rate) {
  phase_ == Phase::climbing ? climb(rate) : steer(rate);
}

void ThreadController::climb(double rate) {
  if (before_ != 0 && rate < rate_before_ * kWorthIt) {
    const unsigned back = before_;
    before_ = 0;
    threads_ = back;
    phase_ = Phase::steady;
    patience_ = 1;
    windows_ = kReprobe;  // it may have been too many from the start
    reason_ = "more did not complete more";
    return;
  }
  if (threads_ >= bounds_.most) {
    before_ = 0;
    phase_ = Phase::steady;
    reason_ = "the most allowed";
    return;
  }
  change_to(threads_ * 2, rate, "doubled while it pays");
}

void ThreadController::steer(double rate) {
  if (before_ != 0) {
    const bool grew = threads_ > before_;
    const double reference = probing_ ? rate_before_ : std::max(rate_before_, best_rate_);
    const bool stays = grew ? rate >= rate_before_ * kWorthIt : rate >= reference * kTooDear;
    if (!stays) {
      threads_ = before_;
      if (!probing_) patience_ = std::min(kLongestPatience, 2u << std::min(setbacks_++, 5u));
      reason_ = grew ? "more did not complete more" : "fewer completed less";
      before_ = 0;
      probing_ = false;
      return;
    }
    if (probing_) best_rate_ = rate, windows_ = kReprobe;  // what was best before is so no more: probe on
    setbacks_ = 0;
    before_ = 0;
    probing_ = false;
  }
  if (++windows_ > kReprobe) return probe(rate);
  if (patience_ > 0) {
    --patience_;
    return;
  }
  const double queue = queued();
  if (queue < kShortQueue)
    change_to(threads_ + an_eighth(threads_), rate, "latency near its least");
  else if (queue > kLongQueue)
    change_to(threads_ - an_eighth(threads_), rate, "calls queue at the server");
}

// The least latency is that of an empty queue: half of the threads for one window
// show it, or that the others were of no use.
void ThreadController::probe(double rate) {
  windows_ = 0;
  change_to(threads_ / 2, rate, "half of them complete as much");
  probing_ = before_ != 0;
  if (probing_) least_latency_ns_ = 0;
}

void ThreadController::change_to(unsigned threads, double rate, const char* reason) {
  threads = std::clamp(threads, bounds_.least, bounds_.most);
  if (threads == threads_) return;
  before_ = threads_;
  rate_before_ = rate;
  threads_ = threads;
  reason_ = reason;
}

double ThreadController::queued() const {
  if (latency_ns_ == 0) return 0;
  return double(threads_) * (1 - double(least_latency_ns_) / double(latency_ns_));
}

std::uint64_t ThreadController::window_ns() const {
  const std::uint64_t several = std::max(kLatenciesPerWindow * latency_ns_, kShortestWindow);
  return std::min(phase_ == Phase::climbing ? several : 2 * several, kLongestWindow);
}

}  // namespace pwalk
