#include "attendance_policy.h"

#include <algorithm>

namespace pwalk::publish {
namespace {

constexpr std::chrono::minutes kFirstPause{1};
constexpr std::chrono::hours kLongestPause{1};

std::optional<Clock::duration> duration_of(const std::optional<Seconds>& seconds) {
  if (!seconds) return std::nullopt;
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds->value));
}

bool all_served(const ipc::Attendance& attendance) {
  return attendance.ever > 0 && attendance.all_finished;
}

}  // namespace

AttendanceLimits AttendanceLimits::of(const PublishOptions& options, bool reuse_unattended) {
  AttendanceLimits limits;
  limits.consumers = options.consumers;
  limits.attach_timeout = duration_of(options.attach_timeout);
  limits.linger = duration_of(options.linger);
  limits.reuse_unattended = reuse_unattended;
  return limits;
}

bool NoticeRhythm::due(bool wanted, Clock::time_point now) {
  if (!wanted) {
    next_.reset();
    return false;
  }
  if (next_ && now < *next_) return false;
  pause_ = next_ ? std::min<Clock::duration>(2 * pause_, kLongestPause) : kFirstPause;
  next_ = now + pause_;
  return true;
}

const char* AttendancePolicy::state() const {
  switch (phase_) {
    case Phase::gathering: return "waiting";
    case Phase::walking: return "walking";
    default: return "draining";
  }
}

Decision AttendancePolicy::step(const Facts& facts) {
  if (facts.stop_requested >= 2) {
    Decision decision;
    decision.cancel_walk = decision.refuse_batches = true;
    decision.end = why_.value_or(Ending::interrupted);
    return decision;
  }
  switch (phase_) {
    case Phase::gathering: return gather(facts);
    case Phase::walking: return watch_walk(facts);
    case Phase::winding_down: return wind_down(facts);
    default: return drain(facts);
  }
}

Decision AttendancePolicy::gather(const Facts& facts) {
  Decision decision;
  if (facts.stop_requested) {
    decision = cut_short(facts, Ending::interrupted);
  } else if (!facts.images_settled) {
    return decision;  // a matter of milliseconds
  } else if (facts.attendance.attached >= limits_.consumers) {
    phase_ = Phase::walking;
    note_absence(facts, false);
    decision.start_walk = true;
  } else {
    note_absence(facts, true);
    if (absent_for(facts, limits_.attach_timeout))
      decision = cut_short(facts, Ending::no_consumer);
    else if (rhythm_.due(true, facts.now))
      decision.notice = Notice::gathering;
  }
  return decision;
}

Decision AttendancePolicy::watch_walk(const Facts& facts) {
  Decision decision;
  if (facts.walk_ended) {
    phase_ = Phase::draining;
    note_absence(facts, false);
    decision.finish = facts.walk_complete;
    return decision;
  }
  if (facts.stop_requested) return cut_short(facts, Ending::interrupted);
  if (nobody_comes(facts)) return cut_short(facts, Ending::no_consumer);
  const bool stuck = facts.starved && facts.attendance.attached == 0 && !limits_.reuse_unattended;
  const auto notice = stuck ? Notice::pool_full : facts.held_back ? Notice::held_back : Notice::none;
  if (rhythm_.due(notice != Notice::none, facts.now)) decision.notice = notice;
  return decision;
}

/// In the middle of the walk: is a consumer being waited for, and for too long?
/// Before the first one has come the scan waits only when the pool is full; after
/// the last one has left it lingers, full or not.
bool AttendancePolicy::nobody_comes(const Facts& facts) {
  const bool abandoned = facts.attendance.ever > 0;
  const bool waiting =
      facts.attendance.attached == 0 && !limits_.reuse_unattended && (abandoned || facts.starved);
  note_absence(facts, waiting);
  if (absent_for(facts, limits_.attach_timeout)) return true;
  return abandoned && absent_for(facts, limits_.linger.value_or(kDefaultLinger));
}

/// The walk was cancelled. Workers still publish the rows they have, which needs
/// somebody to make room; without anybody, or out of time, they are refused.
Decision AttendancePolicy::wind_down(const Facts& facts) {
  Decision decision;
  const bool late = facts.now >= *deadline_;
  if (facts.walk_ended) {
    phase_ = Phase::draining;
    decision.finish = false;
    return decision;
  }
  decision.refuse_batches = late || (facts.starved && facts.attendance.attached == 0);
  if (late) decision.end = *why_;
  return decision;
}

/// The stream has ended: wait for those who read it, or for the first to come.
Decision AttendancePolicy::drain(const Facts& facts) {
  if (facts.stop_requested && !deadline_) deadline_ = facts.now + kDrainTime;
  if (deadline_) return drain_after_stop(facts);

  Decision decision;
  const bool idle = facts.attendance.all_finished;
  note_absence(facts, idle);
  if (!idle) return decision;
  const bool somebody_came = facts.attendance.ever > 0;
  const bool nobody_needed = somebody_came || limits_.reuse_unattended;
  if (limits_.linger ? absent_for(facts, limits_.linger) : nobody_needed)
    decision.end = Ending::complete;
  else if (!somebody_came && absent_for(facts, limits_.attach_timeout))
    decision.end = Ending::no_consumer;
  else if (rhythm_.due(!nobody_needed, facts.now))
    decision.notice = Notice::nobody_came;
  return decision;
}

/// Told to stop: those who are reading get until the deadline. If the walk was
/// through already and everybody got all of it, nothing was cut short.
Decision AttendancePolicy::drain_after_stop(const Facts& facts) {
  Decision decision;
  if (!facts.attendance.all_finished && facts.now < *deadline_) return decision;
  decision.end = why_ ? *why_ : all_served(facts.attendance) ? Ending::complete : Ending::interrupted;
  return decision;
}

Decision AttendancePolicy::cut_short(const Facts& facts, Ending why) {
  Decision decision;
  why_ = why;
  deadline_ = facts.now + kDrainTime;
  if (phase_ == Phase::gathering) {
    phase_ = Phase::draining;
    decision.finish = false;
  } else {
    phase_ = Phase::winding_down;
    decision.cancel_walk = true;
    decision.refuse_batches = why == Ending::no_consumer;
  }
  return decision;
}

void AttendancePolicy::note_absence(const Facts& facts, bool waiting) {
  if (!waiting)
    absent_since_.reset();
  else if (!absent_since_)
    absent_since_ = facts.now;
}

bool AttendancePolicy::absent_for(const Facts& facts, std::optional<Clock::duration> limit) const {
  return limit && absent_since_ && facts.now - *absent_since_ >= *limit;
}

}  // namespace pwalk::publish
