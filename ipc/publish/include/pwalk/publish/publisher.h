#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pwalk/image/image_writer.h"
#include "pwalk/image/results_filesystem.h"
#include "pwalk/ipc/scan_session.h"
#include "pwalk/publish/publish_options.h"
#include "pwalk/scan_plan.h"
#include "pwalk/scan_stats.h"
#include "pwalk/walk_control.h"

namespace pwalk::publish {

/// Why a published scan ended.
enum class Ending : std::uint8_t {
  complete,        ///< walked, and everybody has what he came for
  no_consumer,     ///< --attach-timeout or --linger ran out
  interrupted,     ///< SIGINT, SIGTERM or SIGHUP
  no_root,         ///< not one root could be stat'ed
  failed,          ///< the walk could not be started; see Outcome::problem
};

/// An image to be built of the scan, its file begun already.
struct ImageJob {
  image::ImageWriter writer;
  std::string file;                  ///< what it will be called
  bool keep_when_cut_short = false;  ///< else an unfinished image is removed
};

/// An older image, of which consumers get only the differences; images that are built get everything.
struct Since {
  ResultsFilesystem before;
  /// Read no directory that looks as it did: see trusted_tree.h. The plan is one for that, see Scanner.
  bool trust_mtime = false;
};

/// How a scan differs from an older image, in entries.
struct ChangeCounts {
  std::uint64_t added = 0;
  std::uint64_t changed = 0;
  std::uint64_t removed = 0;    ///< with all that was below
  std::uint64_t unchanged = 0;  ///< not told to consumers
  friend bool operator==(const ChangeCounts&, const ChangeCounts&) = default;
};

/// What became of it.
struct ImageOutcome {
  std::string file;
  std::uint64_t bytes = 0;
  bool complete = false;
  std::string problem;  ///< one line: why there is no image; empty if there is
};

/// A consumer that held back a full pool.
struct SlowConsumer {
  std::string label, command;
  std::uint32_t pid = 0;  ///< as the scanner sees it; 0 if it does not
  double seconds = 0;     ///< the longest time it did so without a break
  bool evicted = false;
};

struct Outcome {
  Ending ending = Ending::complete;
  ScanStats stats;
  double wall_seconds = 0;          ///< of the walk, waits for consumers included
  double backpressure_seconds = 0;
  std::uint64_t batches = 0;
  std::string problem;              ///< one line, with Ending::failed, or of an image in Since
  std::vector<ImageOutcome> images;
  std::optional<ChangeCounts> changes;  ///< with Since
  std::vector<ipc::GroupStatus> groups;
  std::vector<SlowConsumer> slow_consumers;  ///< the first kMostSlowConsumers of them
  static constexpr std::size_t kMostSlowConsumers = 100;
  /// Some worker hangs in a system call and was left behind, or an image that takes too long to be
  /// finished: it may still use the session. The process must end with _exit(2), without destroying the session.
  bool abandoned = false;
};

/// What the outside tells a running scan, and hears of it. All calls come from
/// the thread that called run().
struct Observer {
  /// Polled at least ten times a second: 0 go on, 1 stop (drain at most 10 s), 2 end at once.
  std::function<int()> stop_requested;
  /// About ten times a second while it runs.
  std::function<void(const ScanStats&, const ipc::ScanSession&)> progress;
  /// One line worth telling at once: "pool full, no consumer; attach with: pwalk tail home".
  std::function<void(const std::string&)> notice;
  /// A directory was given up; the walk goes on without it.
  std::function<void(const HungDirectory&)> hung;
};

/// The outcome when not one root can be walked; nullopt if one can. Ask before
/// making a session that nobody needs to attach to.
std::optional<Outcome> nothing_to_walk(const ScanPlan& plan);

/// Runs the walk of `plan` into `session` under the policy of `options` until it
/// has ended and its consumers are served. `reuse_unattended`: with nobody attached
/// a full pool is reused (--json). Blocks; the calling thread is the control thread.
/// `images` are built by consumers of this process, which the policy does not count;
/// with one of them nobody else is waited for, as with --json. `control`: see Scanner. With `since` the roots
/// of the plan do not overlap, and images are built by the walk's threads. Should that older image turn out to be damaged,
/// the scan is cut short and Outcome::problem says why.
Outcome run(const ScanPlan& plan, ipc::ScanSession& session, const PublishOptions& options,
            bool reuse_unattended, const Observer& observer, std::vector<ImageJob> images = {},
            WalkControl* control = nullptr, const std::optional<Since>& since = std::nullopt);

}  // namespace pwalk::publish
