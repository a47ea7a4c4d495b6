#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "pwalk/ipc/scan_session.h"
#include "pwalk/publish/publish_options.h"
#include "pwalk/publish/publisher.h"

/// When a published scan starts, waits, gives up and ends: a state machine
/// without clocks, threads or memory of its own to manage. Facts in, a decision
/// out; publisher.cc supplies the one and carries out the other.
///
///   gathering ──N attached──► walking ──ended──────────────► draining ──► over
///       │                        │  stop, nobody came              ▲
///       │                        └──────► winding down ──ended─────┤
///       └───── stop, nobody came ──────────────────────────────────┘
namespace pwalk::publish {

using Clock = std::chrono::steady_clock;

/// What the user allowed, as the policy needs it.
struct AttendanceLimits {
  unsigned consumers = 0;                         ///< needed before the walk starts
  std::optional<Clock::duration> attach_timeout;  ///< of every wait for a consumer to appear
  std::optional<Clock::duration> linger;          ///< none: the defaults of step()
  bool reuse_unattended = false;                  ///< nobody has to come at all (--json)

  static AttendanceLimits of(const PublishOptions& options, bool reuse_unattended);
};

/// What is so at one moment.
struct Facts {
  Clock::time_point now;
  ipc::Attendance attendance;  ///< without those who build images
  bool starved = false;       ///< a worker waits for room in the pool
  bool walk_ended = false;    ///< every worker has returned
  bool walk_complete = false; ///< meaningful once walk_ended
  int stop_requested = 0;     ///< 0 go on, 1 stop, 2 end at once
  bool held_back = false;     ///< a consumer is there, and the walk has waited for it for a while
  bool images_settled = true; ///< nobody who builds an image still has to attach
};

/// Something a person should know while nothing moves.
enum class Notice : std::uint8_t { none, gathering, pool_full, held_back, nobody_came };

/// What to do now; several at once are done in this order.
struct Decision {
  Notice notice = Notice::none;
  bool start_walk = false;
  bool cancel_walk = false;
  bool refuse_batches = false;  ///< make publish() fail, so that no worker waits in it
  std::optional<bool> finish;   ///< end the stream, complete or not
  std::optional<Ending> end;    ///< return
};

/// One notice at once and then ever more seldom, while its reason lasts.
class NoticeRhythm {
 public:
  /// True when the notice is due. `wanted` false starts over.
  bool due(bool wanted, Clock::time_point now);

 private:
  std::optional<Clock::time_point> next_;
  Clock::duration pause_{};
};

class AttendancePolicy {
 public:
  explicit AttendancePolicy(AttendanceLimits limits) : limits_(limits) {}

  /// Decides. Call it at least ten times a second, with `now` never going back.
  /// Not after it said `end`.
  Decision step(const Facts& facts);

  bool draining() const { return phase_ == Phase::draining; }
  /// "waiting", "walking" or "draining", as scans are listed.
  const char* state() const;

  /// How long consumers may take to read what there is once the scan was told to stop.
  static constexpr std::chrono::seconds kDrainTime{10};
  /// Default of --linger when the last consumer has left in the middle.
  static constexpr std::chrono::seconds kDefaultLinger{10};

 private:
  enum class Phase : std::uint8_t { gathering, walking, winding_down, draining };

  Decision gather(const Facts& facts);
  Decision watch_walk(const Facts& facts);
  Decision wind_down(const Facts& facts);
  Decision drain(const Facts& facts);
  Decision drain_after_stop(const Facts& facts);

  Decision cut_short(const Facts& facts, Ending why);
  bool nobody_comes(const Facts& facts);
  void note_absence(const Facts& facts, bool waiting);
  bool absent_for(const Facts& facts, std::optional<Clock::duration> limit) const;

  AttendanceLimits limits_;
  Phase phase_ = Phase::gathering;
  std::optional<Ending> why_;                     ///< set once the scan is being cut short
  std::optional<Clock::time_point> deadline_;     ///< of the drain, once told to stop
  std::optional<Clock::time_point> absent_since_; ///< since when somebody is waited for
  NoticeRhythm rhythm_;
};

}  // namespace pwalk::publish
