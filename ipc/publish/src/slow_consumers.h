#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "pwalk/ipc/scan_session.h"
#include "pwalk/publish/publish_options.h"
#include "pwalk/publish/publisher.h"

namespace pwalk::publish {

/// Who holds back a full pool: watched, told, remembered for the summary, and with
/// `--on-slow evict` or `image` evicted. The control thread's.
class SlowConsumers {
 public:
  using Clock = std::chrono::steady_clock;

  SlowConsumers(ipc::ScanSession& session, const PublishOptions& options);

  /// One look, ten times a second at most. Returns who was evicted just now.
  std::vector<ipc::ConsumerStatus> watch(Clock::time_point now);

  /// From now on slow consumers are waited for.
  void evict_nobody() { evict_after_.reset(); }

  /// The longest that somebody now holds back the scan.
  Clock::duration longest_wait() const;
  /// "pool full: loader (pid 12) holds back the scan for 2.1 s; ...".
  std::string to_text() const;

  /// Everybody who ever did, with the longest time.
  const std::vector<SlowConsumer>& all() const { return all_; }

 private:
  void remember(const ipc::ConsumerStatus& consumer);

  ipc::ScanSession& session_;
  const bool to_image_;  ///< only those are evicted who read on in the image
  std::optional<std::chrono::nanoseconds> evict_after_;
  Clock::time_point next_look_{};
  std::vector<ipc::ConsumerStatus> now_;  ///< those who hold back the scan at this moment
  std::vector<SlowConsumer> all_;
};

}  // namespace pwalk::publish
