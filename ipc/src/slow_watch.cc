#include "slow_watch.h"

namespace pwalk::ipc {
namespace {

/// Everything below `goal` was taken.
bool reached(const SlowWatch::Positions& taken, const SlowWatch::Positions& goal) {
  for (std::size_t lane = 0; lane < goal.size(); ++lane)
    if (taken[lane] < goal[lane]) return false;
  return true;
}

SlowWatch::Clock::duration since(std::optional<SlowWatch::Clock::time_point> begin,
                                 SlowWatch::Clock::time_point now) {
  return begin ? now - *begin : SlowWatch::Clock::duration::zero();
}

}  // namespace

void SlowWatch::look(Clock::time_point now, bool guilty, const Positions& taken, const Positions& published) {
  if (guilty)
    last_guilty_ = now;
  else if (now - last_guilty_ > kCalm)
    episode_since_.reset();
  if (guilty && !episode_since_) episode_since_ = now;
  if (behind_since_ && (!episode_since_ || reached(taken, mark_))) behind_since_.reset();
  if (!guilty || behind_since_ || reached(taken, published)) return;
  behind_since_ = now;
  mark_ = published;
}

SlowWatch::Clock::duration SlowWatch::holding_back(Clock::time_point now) const {
  return since(episode_since_, now);
}

SlowWatch::Clock::duration SlowWatch::stuck(Clock::time_point now) const {
  return since(behind_since_, now);
}

}  // namespace pwalk::ipc
