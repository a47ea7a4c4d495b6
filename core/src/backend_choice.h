#pragma once

#include <atomic>
#include <cstdint>

namespace pwalk {

/// Who asks the attributes under one root: the workers themselves, one call at a time
/// each, or a ring per worker with many requests in flight. Where it is open, one
/// worker tries both on one block of names, and that decides for good.
///
/// Shared by all workers; relaxed throughout: who learns of a decision late does one
/// more block the old way.
class BackendChoice {
 public:
  enum class State : unsigned char { threads, open, tried, ring };

  void set(State state) { state_.store(state, std::memory_order_relaxed); }
  bool uses_ring() const { return state() == State::ring; }
  bool is_open() const { return state() == State::open; }

  /// True for the one worker that should try now.
  bool begin_trial() {
    State expected = State::open;
    return state_.compare_exchange_strong(expected, State::tried, std::memory_order_relaxed);
  }

  /// What a name took, alone and through a ring, while `busy` workers were asking: so
  /// many names at once are asked without rings. The ring must be a tenth better.
  void conclude(std::uint64_t alone_ns, std::uint64_t ring_ns, unsigned busy) {
    const double threads_ns = double(alone_ns) / (busy == 0 ? 1 : busy);
    set(double(ring_ns) < 0.9 * threads_ns ? State::ring : State::threads);
  }

 private:
  State state() const { return state_.load(std::memory_order_relaxed); }
  std::atomic<State> state_{State::threads};
};

}  // namespace pwalk
