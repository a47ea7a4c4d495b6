#include "pwalk/publish/publisher.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <filesystem>
#include <future>
#include <memory>
#include <thread>

#include "attendance_policy.h"
#include "changes_sink.h"
#include "figures.h"
#include "image_builder.h"
#include "image_conclusion.h"
#include "pwalk/base/signals_blocked.h"
#include "lane_sink.h"
#include "slow_consumers.h"
#include "trusted_tree.h"
#include "pwalk/scanner.h"

namespace pwalk::publish {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSlice{100};       ///< longest wait between two looks at the world
constexpr milliseconds kBriskSlice{1};    ///< right after the walk, when consumers finish any moment
constexpr std::chrono::seconds kBriskFor{1};
constexpr milliseconds kUnhurriedSlice{20};
constexpr std::chrono::seconds kPatience{2};  ///< before it is told who holds the walk back
constexpr milliseconds kFarewell{200};    ///< for workers to return once they are refused

/// What the walk and the loop share. Owned by both, since a worker that hangs in
/// a system call outlives the loop.
struct Walk {
  Walk(const ScanPlan& plan, ipc::ScanSession& session, WalkControl* control)
      : lanes(session), scanner(plan, lanes, control) {}
  /// Consumers get what differs from an older image, `images` everything.
  Walk(const ScanPlan& plan, ipc::ScanSession& session, WalkControl* control, const Since& older, std::vector<ImageJob> images)
      : lanes(session),
        since(std::make_unique<Comparison>(plan, lanes, older, std::move(images))),
        scanner(plan, since->sink, control, since->trusted.get()) {}

  struct Comparison {
    Comparison(const ScanPlan& plan, LaneSink& lanes, const Since& older, std::vector<ImageJob> jobs)
        : before(older.before),
          images(std::move(jobs)),
          sink(plan, lanes, images, before),
          trusted(older.trust_mtime ? std::make_unique<TrustedTree>(before) : nullptr) {}
    const ResultsFilesystem before;
    WholeImages images;
    ChangesSink sink;
    const std::unique_ptr<const TrustedTree> trusted;  ///< or null
  };

  LaneSink lanes;
  const std::unique_ptr<Comparison> since;  ///< or null
  std::atomic<bool> ended{false};  ///< set by the last worker (release), read by the loop (acquire)
  Scanner scanner;
};

/// One scan from the first wait to the last, on the calling thread.
class PublishedScan {
 public:
  PublishedScan(const ScanPlan& plan, ipc::ScanSession& session, const PublishOptions& options,
                const AttendanceLimits& limits, const Observer& observer, std::vector<ImageJob> images,
                WalkControl* control, const std::optional<Since>& since)
      : session_(session),
        observer_(observer),
        slow_consumers_(session, options),
        to_image_(options.resolved_on_slow() == OnSlow::image),
        needed_(limits.consumers),
        policy_(limits),
        walk_(since ? std::make_unique<Walk>(plan, session, control, *since, std::exchange(images, {}))
                    : std::make_unique<Walk>(plan, session, control)) {
    session_.reuse_without_consumers(limits.reuse_unattended);
    offer_image(images);
    // The walk waits for them: without the wake for the rest of a slice, a tenth of a short scan.
    for (ImageJob& job : images)
      builders_.push_back(std::make_unique<ImageBuilder>(std::move(job), session.name(), [&session] { session.wake(); }));
  }

  Outcome run() {
    for (;;) {
      const Decision decision = policy_.step(facts());
      carry_out(decision);
      report_progress();
      if (outcome_over_) break;
      // At the end of the stream nobody may be left to wait for: that is looked at at once.
      if (!decision.finish) session_.serve(slice());
    }
    leave();
    return std::move(outcome_);
  }

 private:
  Facts facts();
  ScanStats stats() const { return final_stats_ ? *final_stats_ : walk_->scanner.stats(); }
  void carry_out(const Decision& decision);
  void start_walk();
  void report_progress();
  void tell_hung(const ScanStats& stats);
  void tell_figures(const ScanStats& stats);
  void tell_shortage();
  void tell_missing_threads();
  void tell(Notice notice, const ipc::Attendance& attendance);
  void tell_poisoned();
  void tell_evicted(const ipc::ConsumerStatus& consumer);
  void offer_image(const std::vector<ImageJob>& images);
  void withdraw_failed_image();
  void end(Ending ending);
  void leave();
  void finish_images();
  void finish_whole_images();
  template <class Done, class Hurry>
  bool serve_until(Done&& done, Hurry&& hurry);
  ipc::Attendance attendance_without_builders() const;
  milliseconds slice() const;
  milliseconds draining_slice() const;

  ipc::ScanSession& session_;
  const Observer& observer_;
  SlowConsumers slow_consumers_;
  std::map<std::string, std::uint64_t> poisoned_told_;  ///< per group, batches
  const bool to_image_;   ///< slow consumers read on in the image
  bool image_offered_ = false;
  const unsigned needed_;
  AttendancePolicy policy_;
  std::unique_ptr<Walk> walk_;
  std::vector<std::unique_ptr<ImageBuilder>> builders_;
  const Clock::time_point began_ = Clock::now();
  Clock::time_point walk_began_{}, walk_ended_{};
  Clock::time_point drain_began_{};
  Clock::time_point next_progress_{};
  bool told_shortage_ = false;
  std::size_t told_hung_ = 0;
  std::string told_state_;  ///< what those who list scans were told last
  bool started_ = false, finished_ = false, outcome_over_ = false;
  bool told_complete_ = false;  ///< how the stream's end was told
  std::optional<ScanStats> final_stats_;
  Outcome outcome_;
};

milliseconds PublishedScan::slice() const {
  const bool somebody_reads = session_.attendance().attached > 0;
  if (!policy_.draining() || !somebody_reads) return kSlice;  // serve() returns at once when somebody comes
  return draining_slice();
}

milliseconds PublishedScan::draining_slice() const {
  return Clock::now() - drain_began_ < kBriskFor ? kBriskSlice : kUnhurriedSlice;
}

Facts PublishedScan::facts() {
  Facts facts;
  facts.now = Clock::now();
  facts.walk_ended = started_ && walk_->ended.load(std::memory_order_acquire);
  if (facts.walk_ended && !final_stats_) final_stats_ = walk_->scanner.wait(), walk_ended_ = facts.now;
  facts.walk_complete = final_stats_ && final_stats_->complete;
  facts.attendance = attendance_without_builders();
  facts.images_settled = std::all_of(builders_.begin(), builders_.end(), [](const auto& builder) { return builder->settled(); });
  facts.starved = session_.starved();
  withdraw_failed_image();
  for (const ipc::ConsumerStatus& evicted : slow_consumers_.watch(facts.now)) tell_evicted(evicted);
  tell_poisoned();
  facts.held_back = slow_consumers_.longest_wait() >= kPatience;
  facts.stop_requested = observer_.stop_requested ? observer_.stop_requested() : 0;
  return facts;
}

/// Those who came from outside. `all_finished` is about everybody: an image that is
/// not complete is waited for like any consumer.
ipc::Attendance PublishedScan::attendance_without_builders() const {
  ipc::Attendance attendance = session_.attendance();
  for (const auto& builder : builders_) {
    if (builder->attached() && attendance.attached > 0) --attendance.attached;
    if (builder->ever_attached() && attendance.ever > 0) --attendance.ever;
  }
  return attendance;
}

void PublishedScan::carry_out(const Decision& decision) {
  if (decision.notice != Notice::none) tell(decision.notice, attendance_without_builders());
  if (decision.start_walk) start_walk();
  if (decision.cancel_walk && started_) walk_->scanner.cancel();
  if (decision.refuse_batches) session_.stop();
  if (decision.finish) {
    tell_figures(stats());  // before the end is told: nobody looks at them much later
    session_.finish(*decision.finish);
    told_complete_ = *decision.finish;
    finished_ = true;
    drain_began_ = Clock::now();
  }
  if (decision.end) end(*decision.end);
}

void PublishedScan::start_walk() {
  Walk* walk = walk_.get();
  ipc::ScanSession* session = &session_;
  walk_began_ = Clock::now();
  const auto started = walk_->scanner.start([walk, session] {
    walk->ended.store(true, std::memory_order_release);
    session->wake();
  });
  started_ = started.has_value();
  if (started) return tell_missing_threads();
  outcome_.problem = started.error().message();
  end(Ending::failed);
}

// Fewer walk as well, but not as the plan says.
void PublishedScan::tell_missing_threads() {
  const unsigned had = walk_->scanner.stats().threads, planned = walk_->scanner.plan().threads;
  if (had >= planned || !observer_.notice) return;
  observer_.notice(fmt::format("only {} of {} threads could be started: a limit of processes, or of memory", had, planned));
}

void PublishedScan::report_progress() {
  const auto now = Clock::now();
  const bool new_state = told_state_ != policy_.state();
  if (now < next_progress_ && !new_state) return;
  next_progress_ = now + kSlice;
  told_state_ = policy_.state();
  const ScanStats stats = this->stats();
  tell_hung(stats);
  session_.set_status(told_state_, stats.counts.entries, stats.counts.errors);
  tell_figures(stats);
  if (observer_.progress) observer_.progress(stats, session_);
  if (walk_->since) walk_->since->images.commit_if_due();
  tell_shortage();
}

void PublishedScan::tell_shortage() {
  if (told_shortage_ || !observer_.notice) return;
  const std::string why = session_.pool_shortage();
  if (why.empty()) return;
  told_shortage_ = true;
  observer_.notice("the pool stays smaller than planned: " + why);
}

void PublishedScan::tell_hung(const ScanStats& stats) {
  for (; told_hung_ < stats.hung.size(); ++told_hung_) {
    const HungDirectory& hung = stats.hung[told_hung_];
    if (observer_.hung) observer_.hung(hung);
  }
}

void PublishedScan::tell_figures(const ScanStats& stats) {
  if (!started_) return;
  const auto elapsed = (final_stats_ ? walk_ended_ : Clock::now()) - walk_began_;
  session_.set_figures(figures_of(stats, elapsed, session_.backpressure()));
}

void PublishedScan::tell(Notice notice, const ipc::Attendance& attendance) {
  if (!observer_.notice) return;
  std::string what;
  switch (notice) {
    case Notice::none: return;
    case Notice::gathering:
      what = fmt::format("waiting for {} consumer{}, {} attached", needed_, needed_ == 1 ? "" : "s",
                         attendance.attached);
      break;
    case Notice::pool_full: what = "pool full and no consumer, the walk waits"; break;
    case Notice::held_back: return observer_.notice(slow_consumers_.to_text());
    case Notice::nobody_came: what = "walk ended, waiting for a consumer"; break;
  }
  observer_.notice(fmt::format("{}; attach with: pwalk tail {}", what, session_.name()));
}

/// The last one: that of --keep, in memory, if there are two.
void PublishedScan::offer_image(const std::vector<ImageJob>& images) {
  if (images.empty()) return;
  session_.offer_image(std::filesystem::absolute(images.back().writer.partial_file()).lexically_normal(), to_image_);
  image_offered_ = true;
}

/// An image that ended early has not what slow consumers would need: they are waited for again.
void PublishedScan::withdraw_failed_image() {
  if (!image_offered_ || builders_.empty() || !builders_.back()->done()) return;
  if (builders_.back()->outcome().problem.empty()) return;
  image_offered_ = false;
  session_.offer_image("", false);
  if (to_image_) slow_consumers_.evict_nobody();
}

void PublishedScan::tell_evicted(const ipc::ConsumerStatus& consumer) {
  if (!observer_.notice) return;
  if (to_image_)
    return observer_.notice(fmt::format("{} is slower than the walk and reads on in the image", consumer.who()));
  observer_.notice(fmt::format("evicted {}, which held back the scan for {:.1f} s and had not read {} entries",
                               consumer.who(), consumer.holding_back_seconds, consumer.lag_rows));
}

/// Batches that a group has given up since the last look.
void PublishedScan::tell_poisoned() {
  if (!observer_.notice) return;
  for (const ipc::GroupStatus& group : session_.groups()) {
    std::uint64_t& told = poisoned_told_[group.name];
    if (group.poisoned_batches > told && !group.dissolved)
      observer_.notice(fmt::format("group {}: gave up {} entries that no member finished", group.name, group.poisoned_rows));
    told = group.poisoned_batches;
  }
}

void PublishedScan::end(Ending ending) {
  outcome_.ending = ending;
  outcome_over_ = true;
  if (finished_) return;
  session_.stop();
  session_.finish(false);
}

/// Images are finished after the stream's end: their last merge and their writes
/// to the device take a moment.
void PublishedScan::finish_images() {
  for (auto& builder : builders_) {
    const bool done = serve_until([&] { return builder->done(); }, [&] { builder->give_up(); });
    outcome_.images.push_back(done ? builder->outcome() : give_up_image(builder->names()));
    if (!done) static_cast<void>(builder.release());  // with the thread that uses it
    outcome_.abandoned |= !done;
  }
  builders_.clear();
}

/// True when it is done. Told to end at once, it is given a moment to see that, but not as long as a device may take.
template <class Done, class Hurry>
bool PublishedScan::serve_until(Done&& done, Hurry&& hurry) {
  std::optional<Clock::time_point> given_up;
  while (!done()) {
    if (!given_up && observer_.stop_requested && observer_.stop_requested() >= 2) {
      given_up = Clock::now() + kFarewell;
      hurry();
    }
    if (given_up && Clock::now() >= *given_up) return false;
    session_.serve(draining_slice());
  }
  return true;
}

/// The same for those that the walk's threads have built.
void PublishedScan::finish_whole_images() {
  if (!walk_->since) return;
  WholeImages& images = walk_->since->images;  // left behind with the walk, if at all
  std::packaged_task<std::vector<ImageOutcome>()> finish([&images, complete = told_complete_] { return images.finish(complete); });
  auto finished = finish.get_future();
  std::thread thread;
  {
    const SignalsBlocked inherited;
    thread = std::thread(std::move(finish));
  }
  const auto done = [&] { return finished.wait_for(std::chrono::seconds{0}) == std::future_status::ready; };
  if (serve_until(done, [] {})) {
    outcome_.images = finished.get();
    return thread.join();
  }
  outcome_.images = images.give_up();
  outcome_.abandoned = true;
  thread.detach();
}

/// Collects the figures. Workers that do not return in time (a hung mount) are
/// left behind together with what they use.
void PublishedScan::leave() {
  finish_images();
  finish_whole_images();
  const auto patience = Clock::now() + kFarewell;
  const auto returned = [&] { return !started_ || walk_->ended.load(std::memory_order_acquire); };
  while (!returned() && Clock::now() < patience) std::this_thread::sleep_for(kBriskSlice);
  outcome_.abandoned |= !returned();
  if (started_ && returned() && !final_stats_) final_stats_ = walk_->scanner.wait();
  outcome_.stats = stats();
  tell_hung(outcome_.stats);
  outcome_.abandoned |= !outcome_.stats.hung.empty();
  outcome_.wall_seconds = std::chrono::duration<double>(Clock::now() - began_).count();
  outcome_.backpressure_seconds = std::chrono::duration<double>(session_.backpressure()).count();
  outcome_.batches = session_.batches();
  outcome_.slow_consumers = slow_consumers_.all();
  outcome_.groups = session_.groups();
  if (walk_->since) {
    outcome_.changes = walk_->since->sink.counts();
    if (outcome_.problem.empty()) outcome_.problem = walk_->since->sink.problem();
  }
  if (!outcome_.abandoned) return;
  // Detached, so that what follows threads (ThreadSanitizer) knows that their end is not awaited.
  walk_->scanner.abandon();
  static_cast<void>(walk_.release());
}

bool walkable(const PlannedRoot& root) { return root.error == 0; }

}  // namespace

std::optional<Outcome> nothing_to_walk(const ScanPlan& plan) {
  if (std::any_of(plan.roots.begin(), plan.roots.end(), walkable)) return std::nullopt;
  Outcome outcome;
  outcome.ending = Ending::no_root;
  for (const PlannedRoot& root : plan.roots) {
    RootStats stats;
    stats.path = root.path;
    stats.counts.errors = 1;
    outcome.stats.counts.errors += 1;
    outcome.stats.roots.push_back(std::move(stats));
  }
  return outcome;
}

Outcome run(const ScanPlan& plan, ipc::ScanSession& session, const PublishOptions& options,
            bool reuse_unattended, const Observer& observer, std::vector<ImageJob> images, WalkControl* control,
            const std::optional<Since>& since) {
  if (auto outcome = nothing_to_walk(plan)) return *std::move(outcome);
  const AttendanceLimits limits = AttendanceLimits::of(options, reuse_unattended || !images.empty());
  return PublishedScan(plan, session, options, limits, observer, std::move(images), control, since).run();
}

}  // namespace pwalk::publish
