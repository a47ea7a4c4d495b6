#include "scan/scan_run.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "process/message.h"
#include "process/signals.h"
#include "pwalk/ipc/scan_directory.h"
#include "pwalk/kernel_programs.h"
#include "pwalk/publish/publisher.h"
#include "scan/image_jobs.h"
#include "scan/progress_line.h"
#include "scan/scan_name.h"
#include "scan/scan_summary.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

constexpr std::string_view kProgram = "pwalk-scanner";
constexpr int kNameAttempts = 100;

std::string host_name() {
  utsname names{};
  return ::uname(&names) == 0 ? names.nodename : "";
}

void tell_missing_roots(const ScanPlan& plan) {
  for (const PlannedRoot& root : plan.roots)
    if (root.error != 0) say(kProgram, fmt::format("'{}': {}", escaped(root.given), std::strerror(root.error)));
}

std::uint64_t pool_bytes(const publish::PublishOptions& options) {
  if (options.buffer_size_mb) return std::uint64_t{*options.buffer_size_mb} << 20;
  return options.ring_size ? options.ring_size->bytes : ipc::default_pool_bytes();
}

/// How attributes are fetched, as the plan says it, without the details.
std::string backend_of(const ScanPlan& plan) {
  for (const std::string_view subject : {"backend", "attributes"})
    for (const Decision& decision : plan.decisions)
      if (decision.subject == subject) return decision.choice.substr(0, decision.choice.find(','));
  return "";
}

/// The figures that are known before the walk.
ScanSummary opening_summary(const ScanPlan& plan) {
  ScanSummary summary;
  summary.host = host_name();
  summary.uid = ::geteuid();
  summary.started = std::chrono::system_clock::now();
  for (const PlannedRoot& root : plan.roots) summary.roots.push_back(root.path);
  summary.backend = backend_of(plan);
  return summary;
}

/// Prints what is asked for and returns the exit code.
int close_summary(ScanSummary summary, publish::Outcome outcome, const OutputOptions& output) {
  summary.outcome = std::move(outcome);
  if (const char* used = summary.outcome.stats.backend; *used) summary.backend = used;
  summary.finished = std::chrono::system_clock::now();
  summary.usage = process_usage();
  if (!summary.outcome.problem.empty()) say(kProgram, escaped(summary.outcome.problem));
  for (const publish::ImageOutcome& image : summary.outcome.images)
    if (!image.problem.empty()) say(kProgram, "no image: " + escaped(image.problem));
  if (output.json) write_all(STDOUT_FILENO, summary.to_json().dump() + "\n");
  if (!output.quiet) say(kProgram, summary.to_text());
  return summary.exit_code();
}

/// Beyond a year is for ever.
std::chrono::nanoseconds nanoseconds_of(Seconds seconds) {
  const std::chrono::duration<double> bounded(std::min(seconds.value, 365.0 * 24 * 3600));
  return std::chrono::duration_cast<std::chrono::nanoseconds>(bounded);
}

publish::Observer observer_of(ProgressLine& progress) {
  publish::Observer observer;
  observer.stop_requested = stop_requests;
  observer.notice = [&progress](const std::string& text) {
    progress.clear();
    say(kProgram, escaped(text));
  };
  observer.hung = [&progress](const HungDirectory& hung) {
    progress.clear();
    say(kProgram, fmt::format("'{}': no answer ({}), given up", escaped(hung.path.empty() ? "/" : hung.path),
                              schema::kOperationNames[std::size_t(hung.operation)]));
  };
  observer.progress = [&progress](const ScanStats& stats, const ipc::ScanSession& session) {
    ProgressFacts facts;
    facts.consumers = session.attendance().attached;
    facts.starved = session.starved();
    progress.update(stats, facts, take_progress_request());
  };
  return observer;
}

int publish_into(ipc::ScanSession& session, const ScannerOptions& options, const ScanPlan& plan,
                 const KernelPrograms& programs, ScanSummary summary, const ScanContext& context) {
  summary.name = session.name();
  summary.pages = session.pool().pages;
  auto images = begin_images(options.publish, plan, session.name(), context.selection, summary.started);
  if (!images) {
    say(kProgram, escaped(images.error().message()));
    return kCutShort;
  }
  ProgressLine progress(session.name(), options.output.progress, options.output.quiet);
  auto outcome = publish::run(plan, session, options.publish, options.output.json, observer_of(progress),
                              *std::move(images), context.control,
                              context.since ? std::optional(context.since->since) : std::nullopt);
  progress.clear();
  summary.kernel_latency = programs.latency();
  summary.refused_opens = programs.refused_opens();
  const bool abandoned = outcome.abandoned;
  const int code = close_summary(std::move(summary), std::move(outcome), options.output);
  if (abandoned) ::_exit(code);
  return code;
}

/// Under the name asked for, or one that is free: another scanner may take it
/// between our look and our making it ours, then the next one is tried.
Result<ipc::ScanSession> make_session(const ScannerOptions& options, const ScanPlan& plan) {
  ipc::SessionOptions wanted = session_options(options, plan);
  for (int attempt = 1;; ++attempt) {
    wanted.name = options.publish.name ? *options.publish.name : free_scan_name(plan);
    auto session = ipc::ScanSession::create(wanted);
    const bool taken = !session && session.error().code == EEXIST && !options.publish.name;
    if (!taken || attempt == kNameAttempts) return session;
  }
}

}  // namespace

ipc::SessionOptions session_options(const ScannerOptions& options, const ScanPlan& plan) {
  ipc::SessionOptions session;
  for (const PlannedRoot& root : plan.roots) session.roots.push_back(root.path);
  session.pool_bytes = pool_bytes(options.publish);
  session.lends_pool = options.publish.use_mmap;
  session.huge_pages = options.publish.huge_pages;
  session.group_lease = nanoseconds_of(options.publish.group_lease);
  session.group_attempts = options.publish.group_attempts;
  if (options.publish.linger) session.group_linger = nanoseconds_of(*options.publish.linger);
  if (plan.local_memory)  // workers take the places in turn, and lanes in the same order
    for (const Place& place : plan.places) session.lane_nodes.push_back(place.node);
  if (const auto& group = options.publish.share_group)
    if (const auto number = ipc::group_named(*group)) session.share_group = *number;  // main refuses an unknown one
  return session;
}

int run_scan(const ScannerOptions& options, const ScanPlan& plan, const ScanContext& context) {
  const auto& asked = options.publish.name;
  if (auto fine = asked ? ipc::check_scan_name(*asked) : Result<void>{}; !fine) {
    say(kProgram, fmt::format("--name '{}': {}", escaped(*asked), fine.error().what));
    return kUsage;
  }
  ScanSummary summary = opening_summary(plan);
  tell_missing_roots(plan);
  if (auto outcome = publish::nothing_to_walk(plan)) {
    summary.name = asked ? *asked : free_scan_name(plan);
    return close_summary(std::move(summary), *std::move(outcome), options.output);
  }
  const auto programs = KernelPrograms::attach(plan);
  if (!programs) {
    say(kProgram, "--require-filter: " + escaped(programs.error().message()));
    return kCutShort;
  }
  for (const std::string& notice : plan.notices) say(kProgram, escaped(notice));
  if (context.since)
    for (const std::string& notice : context.since->notices) say(kProgram, escaped(notice));
  for (const std::string& refusal : programs->refusals()) say(kProgram, escaped(refusal));
  auto session = make_session(options, plan);
  if (!session) {
    say(kProgram, escaped(session.error().message()));
    return session.error().code == EINVAL ? kUsage : kCutShort;
  }
  return publish_into(*session, options, plan, *programs, std::move(summary), context);
}

}  // namespace pwalk::tools
