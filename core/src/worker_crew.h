#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "thread_controller.h"
#include "walk.h"
#include "worker.h"

namespace pwalk {

/// The threads of a walk: as many as the plan starts with, and where the plan leaves
/// room for more or fewer, one that watches them, asks the ThreadController, starts
/// further ones and lets surplus ones park. None ends before the walk.
class WorkerCrew {
 public:
  explicit WorkerCrew(Walk& walk);

  /// Deals `nodes` out and starts. `on_done` is called once, by the last thread.
  /// EAGAIN: not one could be started.
  /// `owner` keeps this alive; threads hold it, since one that hangs outlives the walk.
  Result<void> start(std::vector<NodePtr> nodes, std::function<void()> on_done, std::shared_ptr<void> owner);

  /// Any thread; waits for the end, but for threads that were given up and still hang.
  void join();

  /// Any thread: what was given up so far.
  std::vector<HungDirectory> hung() const;
  /// Instead of join(), for a process about to end: see Scanner::abandon().
  void abandon();

  /// Any thread: threads started so far.
  unsigned started() const { return started_.load(std::memory_order_acquire); }
  /// Any thread: those that should walk now, and why.
  unsigned wanted() const { return wanted_.load(std::memory_order_relaxed); }
  const char* reason() const { return reason_.load(std::memory_order_relaxed); }

  /// Any thread: calls visit(worker) for each that was started.
  template <class Visit>
  void for_each(Visit&& visit) const {
    const unsigned count = started();
    for (unsigned number = 0; number < count; ++number) visit(*workers_[number]);
  }

 private:
  /// A thread; `back` once it will touch nothing any more although it was given up.
  struct Hand {
    std::thread thread;
    std::shared_ptr<std::atomic<bool>> back = std::make_shared<std::atomic<bool>>(false);
  };

  bool start_one();
  void run(Worker& worker, std::atomic<bool>& back);
  void settle(unsigned number);
  template <class Walk>
  void work(std::atomic<bool>& back, Walk&& walk);
  void watch();
  bool give_up(Worker& worker, std::uint64_t word);
  void replace(unsigned number);
  void replay(Worker& worker);
  void end();
  void leave();
  bool is_adaptive() const;
  void govern();
  bool sleep_through(std::uint64_t span_ns);
  void heed(unsigned threads);
  ThreadController::Window observe();
  std::uint64_t median_of_waits();

  Walk& walk_;
  /// Filled up to started_, never changed below it: released by started_.
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<unsigned> started_{0};
  std::atomic<unsigned> wanted_;      ///< relaxed: for people
  std::atomic<const char*> reason_{""};
  std::atomic<unsigned> running_{1};  ///< threads and start() itself; acquire-release in leave()
  std::function<void()> on_done_;
  std::atomic<bool> open_{false};     ///< the gate; release, with run()'s wait

  std::mutex join_mutex_;
  std::shared_ptr<void> owner_;       ///< until the end, for the threads to come
  mutable std::mutex hands_mutex_;    ///< guards the next three
  std::vector<Hand> hands_;           ///< one per worker
  std::vector<Hand> given_up_;
  std::vector<HungDirectory> hung_;
  std::thread governor_, watchdog_;
  bool abandoned_ = false;            ///< guarded by end_mutex_
  std::atomic<bool> finished_{false}; ///< release in leave(), with join()
  std::atomic<std::uint64_t> stalls_{0};  ///< calls that took long; relaxed: the watchdog's, for the governor
  std::mutex end_mutex_;
  std::condition_variable end_bell_;
  bool ended_ = false;                ///< guarded by end_mutex_

  // The governor's own.
  ThreadController controller_;
  std::uint64_t seen_at_ns_ = 0, seen_calls_ = 0, seen_switches_ = 0, seen_distress_ = 0;
  std::array<std::uint64_t, LatencyHistogram::kSlots> seen_waits_{};
};

}  // namespace pwalk
