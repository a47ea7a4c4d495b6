#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cli_options.h"
#include "pwalk/scan_stats.h"

namespace pwalk::tools {

/// What progress tells besides the walk's own counters.
struct ProgressFacts {
  std::string name;
  std::string state;       ///< "waiting", "walking", "draining"
  unsigned consumers = 0;  ///< attached now
  bool starved = false;    ///< a full pool holds the walk back
  double seconds = 0;      ///< since the start
  double rate = 0;         ///< entries per second lately
};

/// One line: "home  walking  1.23M entries  45.6k/s  12 errors  3.4k directories waiting  2 consumers  3:07".
std::string progress_text(const ScanStats& stats, const ProgressFacts& facts);

/// Progress on stderr: a line that rewrites itself on a terminal, plain lines
/// elsewhere. One thread.
class ProgressLine {
 public:
  using Clock = std::chrono::steady_clock;

  /// `mode` automatic: only on a terminal, and not with `quiet`.
  ProgressLine(std::string name, ProgressMode mode, bool quiet);

  /// Shows the figures when it is time to, or now if `wanted` (SIGUSR1).
  void update(const ScanStats& stats, ProgressFacts facts, bool wanted);

  /// Takes the line off the terminal, before something else is written there.
  void clear();

 private:
  double rate(std::uint64_t entries, Clock::time_point now);

  std::string name_;
  bool terminal_, shown_, on_screen_ = false;
  Clock::time_point began_ = Clock::now(), next_{};
  Clock::time_point rated_at_ = began_;
  std::uint64_t rated_entries_ = 0;
  double rate_ = 0;
};

}  // namespace pwalk::tools
