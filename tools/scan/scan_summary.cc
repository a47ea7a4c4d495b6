#include "scan/scan_summary.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "process/message.h"
#include "text/base64.h"
#include "text/escape.h"
#include "text/figures.h"
#include "text/utf8.h"
#include "version.h"

namespace pwalk::tools {
namespace {

using nlohmann::ordered_json;

double seconds_of(const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) * 1e-6; }

/// JSON text is UTF-8: other bytes are shown escaped, and given exactly beside it.
void put_path(ordered_json& object, const std::string& key, const std::string& path) {
  if (is_utf8(path)) {
    object[key] = path;
    return;
  }
  object[key] = escaped(path);
  std::string exact;
  append_base64(exact, path);
  object[key + "_base64"] = exact;
}

void put_counts(ordered_json& object, const ScanCounts& counts) {
  object["entries"] = counts.entries;
  object["files"] = counts.files;
  object["directories"] = counts.directories;
  object["symlinks"] = counts.symlinks;
  object["others"] = counts.others;
  object["errors"] = counts.errors;
  object["vanished"] = counts.vanished;
  object["skipped"] = counts.skipped;
  object["bytes"] = counts.bytes;
}

ordered_json quantiles(const LatencyQuantiles& latency) {
  return {{"p50", double(latency.p50_ns) / 1000}, {"p99", double(latency.p99_ns) / 1000}, {"count", latency.count}};
}

double rounded(double share) { return double(std::llround(share * 1000)) / 1000; }

/// Share of the threads' time in which there was something to read and room to publish it.
double thread_efficiency(const ScanStats& stats, double backpressure_seconds) {
  double total = 0, lost = backpressure_seconds;
  for (const WorkerTime& worker : stats.workers) total += double(worker.total_ns) * 1e-9, lost += double(worker.idle_ns) * 1e-9;
  return total > 0 ? rounded(std::max(0.0, total - lost) / total) : 0.0;
}

/// Of each thread: without the waits for room, which are known of all together.
ordered_json worker_efficiency(const ScanStats& stats) {
  auto shares = ordered_json::array();
  for (const WorkerTime& worker : stats.workers) shares.push_back(rounded(worker.efficiency()));
  return shares;
}

/// Mounts entered below a root.
ordered_json mount_objects(const std::vector<MountStats>& mounts) {
  auto objects = ordered_json::array();
  for (const MountStats& mount : mounts) {
    ordered_json object;
    put_path(object, "mount", mount.mount);
    object["filesystem"] = mount.filesystem;
    object["profile"] = mount.profile;
    objects.push_back(std::move(object));
  }
  return objects;
}

ordered_json root_object(const RootStats& root) {
  ordered_json object;
  put_path(object, "path", root.path);
  put_path(object, "mount", root.mount);
  object["filesystem"] = root.filesystem;
  object["profile"] = root.profile;
  object["mounts"] = mount_objects(root.mounts);
  put_counts(object["counts"], root.counts);
  object["complete"] = root.complete;
  return object;
}

ordered_json hung_objects(const std::vector<HungDirectory>& hung) {
  auto objects = ordered_json::array();
  for (const HungDirectory& directory : hung) {
    ordered_json object;
    put_path(object, "path", directory.path.empty() ? "/" : directory.path);
    object["operation"] = schema::kOperationNames[std::size_t(directory.operation)];
    objects.push_back(std::move(object));
  }
  return objects;
}

ordered_json image_objects(const std::vector<publish::ImageOutcome>& images) {
  auto objects = ordered_json::array();
  for (const publish::ImageOutcome& image : images) {
    ordered_json object;
    put_path(object, "file", image.file);
    object["bytes"] = image.bytes;
    object["complete"] = image.complete;
    if (!image.problem.empty()) object["problem"] = escaped(image.problem);
    objects.push_back(std::move(object));
  }
  return objects;
}

ordered_json changes_object(const publish::ChangeCounts& changes, const ScanStats& stats) {
  return {{"added", changes.added},
          {"changed", changes.changed},
          {"removed", changes.removed},
          {"unchanged", changes.unchanged},
          {"directories_not_read", stats.repeated_directories}};
}

ordered_json slow_objects(const std::vector<publish::SlowConsumer>& consumers) {
  auto objects = ordered_json::array();
  for (const publish::SlowConsumer& slow : consumers)
    objects.push_back({{"label", escaped(slow.label)},
                       {"command", escaped(slow.command)},
                       {"pid", slow.pid},
                       {"seconds", slow.seconds},
                       {"evicted", slow.evicted}});
  return objects;
}

ordered_json group_objects(const std::vector<ipc::GroupStatus>& groups) {
  auto objects = ordered_json::array();
  for (const ipc::GroupStatus& group : groups)
    objects.push_back({{"name", escaped(group.name)},
                       {"batches", group.done_batches},
                       {"redeliveries", group.redeliveries},
                       {"poisoned_batches", group.poisoned_batches},
                       {"poisoned_entries", group.poisoned_rows},
                       {"dissolved", group.dissolved}});
  return objects;
}

ordered_json root_names(const std::vector<std::string>& roots) {
  auto names = ordered_json::array();
  for (const std::string& root : roots) names.push_back(is_utf8(root) ? root : escaped(root));
  return names;
}

std::string changes_text(const publish::ChangeCounts& changes, const ScanStats& stats) {
  std::string text = fmt::format("{} added, {} changed, {} removed", grouped(changes.added), grouped(changes.changed),
                                 grouped(changes.removed));
  if (stats.repeated_directories) text += fmt::format(", {} directories not read", grouped(stats.repeated_directories));
  return text;
}

std::string ending_text(publish::Ending ending) {
  switch (ending) {
    case publish::Ending::complete: return "";
    case publish::Ending::no_consumer: return "stopped: no consumer came";
    case publish::Ending::interrupted: return "stopped by a signal";
    case publish::Ending::no_root: return "no root could be read";
    case publish::Ending::failed: return "could not be started";
  }
  return "";
}

}  // namespace

ProcessUsage process_usage() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime), std::uint64_t(usage.ru_maxrss) * 1024};
}

std::string rfc3339(std::chrono::system_clock::time_point when) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(when)),
                     ms % 1000);
}

bool ScanSummary::complete() const {
  return outcome.ending == publish::Ending::complete && outcome.stats.complete;
}

int ScanSummary::exit_code() const {
  if (!complete()) return kCutShort;
  for (const publish::ImageOutcome& image : outcome.images)
    if (!image.problem.empty()) return kWithErrors;
  return outcome.stats.counts.errors > 0 ? kWithErrors : kComplete;
}

nlohmann::ordered_json ScanSummary::to_json() const {
  const ScanStats& stats = outcome.stats;
  ordered_json object;
  object["name"] = name;
  object["roots"] = root_names(roots);
  object["host"] = host;
  object["uid"] = uid;
  object["version"] = kVersion;
  object["started"] = rfc3339(started);
  object["finished"] = rfc3339(finished);
  object["complete"] = complete();
  put_counts(object, stats.counts);
  object["wall_seconds"] = outcome.wall_seconds;
  object["cpu_seconds"] = usage.cpu_seconds;
  object["entries_per_second"] =
      outcome.wall_seconds > 0 ? double(stats.counts.entries) / outcome.wall_seconds : 0.0;
  object["peak_memory_bytes"] = usage.peak_memory_bytes;
  object["batches"] = outcome.batches;
  object["backpressure_seconds"] = outcome.backpressure_seconds;
  if (!outcome.groups.empty()) object["groups"] = group_objects(outcome.groups);
  if (!outcome.slow_consumers.empty()) object["slow_consumers"] = slow_objects(outcome.slow_consumers);
  object["threads"] = stats.threads;
  if (*stats.threads_reason) object["threads_reason"] = stats.threads_reason;
  object["thread_efficiency"] = thread_efficiency(stats, outcome.backpressure_seconds);
  object["worker_efficiency"] = worker_efficiency(stats);
  object["huge_pages"] = pages;
  object["backend"] = backend;
  object["latency_us"] = {{"open", quantiles(stats.open)},
                          {"getdents", quantiles(stats.getdents)},
                          {"statx", quantiles(stats.statx)}};
  if (kernel_latency)
    object["kernel_latency_us"] = {{"open", quantiles(kernel_latency->open)},
                                   {"getdents", quantiles(kernel_latency->getdents)},
                                   {"stat", quantiles(kernel_latency->stat)}};
  if (refused_opens) object["refused_opens"] = *refused_opens;
  if (!stats.hung.empty()) object["hung"] = hung_objects(stats.hung);
  auto per_root = ordered_json::array();
  for (const RootStats& root : stats.roots) per_root.push_back(root_object(root));
  object["per_root"] = std::move(per_root);
  if (!outcome.images.empty()) object["images"] = image_objects(outcome.images);
  if (outcome.changes) object["changes"] = changes_object(*outcome.changes, stats);
  return object;
}

std::string ScanSummary::to_text() const {
  const ScanCounts& counts = outcome.stats.counts;
  std::string text = fmt::format("{}: {} entries ({} files, {} directories, {} links, {} others), {}", name,
                                 grouped(counts.entries), grouped(counts.files), grouped(counts.directories),
                                 grouped(counts.symlinks), grouped(counts.others), byte_text(counts.bytes));
  if (counts.errors) text += ", " + counted(counts.errors, "error");
  if (counts.vanished) text += fmt::format(", {} vanished", grouped(counts.vanished));
  if (counts.skipped) text += fmt::format(", {} skipped", grouped(counts.skipped));
  text += fmt::format(" in {}", duration_text(outcome.wall_seconds));
  if (outcome.wall_seconds > 0)
    text += fmt::format(", {}/s", compact(double(counts.entries) / outcome.wall_seconds));
  if (outcome.changes) text += "; " + changes_text(*outcome.changes, outcome.stats);
  const std::string ending = ending_text(outcome.ending);
  if (!ending.empty()) text += "; " + ending;
  if (ending.empty() && !complete()) text += "; incomplete";
  return text;
}

}  // namespace pwalk::tools
