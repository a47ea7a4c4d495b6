#include "scan/image_jobs.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "pwalk/ipc/kept_images.h"
#include "pwalk/ipc/scan_directory.h"
#include "version.h"

namespace pwalk::tools {
namespace {

/// With links resolved; empty if there is no such directory.
std::string real_directory(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  std::string text = resolved ? resolved : "";
  std::free(resolved);
  return text;
}

std::string glob_of(const std::string& path) {
  std::string glob;
  for (const char c : path) {
    if (std::string_view("*?[]\\").find(c) != std::string_view::npos) glob += '\\';
    glob += c;
  }
  return glob;
}

image::ScanFacts facts_of(const ScanPlan& plan, const std::string& scan_name, const std::string& selection,
                          std::chrono::system_clock::time_point started) {
  image::ScanFacts facts;
  facts.name = scan_name;
  utsname names{};
  if (::uname(&names) == 0) facts.host = names.nodename;
  for (const PlannedRoot& root : plan.roots) facts.roots.push_back(root.path);
  facts.uid = ::geteuid();
  facts.started_ns = std::chrono::nanoseconds(started.time_since_epoch()).count();
  facts.columns = plan.columns;
  facts.version = kVersion;
  facts.selection = selection;
  return facts;
}

Result<publish::ImageJob> begin(const std::string& file, const image::ScanFacts& facts, bool keep_when_cut_short,
                                std::uint64_t limit) {
  image::WriterOptions options;
  options.max_bytes = limit;
  auto writer = image::ImageWriter::create(file, facts, options);
  if (!writer) return tl::unexpected(writer.error());
  return publish::ImageJob{*std::move(writer), file, keep_when_cut_short};
}

}  // namespace

std::vector<std::string> globs_of_saved_file(const std::string& file, const std::vector<std::string>& roots) {
  std::vector<std::string> globs;
  const std::filesystem::path path(file);
  const std::string directory = real_directory(path.has_parent_path() ? path.parent_path().string() : ".");
  for (const std::string& root : roots) {
    const std::string top = real_directory(root);
    if (directory.empty() || top.empty()) continue;
    const std::string relative = std::filesystem::path(directory).lexically_relative(top).string();
    if (relative.empty() || relative.starts_with("..")) continue;
    const std::string prefix = relative == "." ? "/" : "/" + relative + "/";
    for (const char* suffix : {"", ".partial"})
      globs.push_back(glob_of(prefix + path.filename().string() + suffix));
  }
  return globs;
}

std::string selection_of(const ScanPlan& plan, const std::vector<std::string>& own_globs) {
  const TraversalOptions& asked = plan.options.traversal;
  std::set<std::string> rules;
  for (const std::string& glob : plan.exclude_globs) rules.insert("exclude " + glob);
  for (const std::string& glob : own_globs) rules.erase("exclude " + glob);
  for (const std::string& glob : asked.include) rules.insert("include " + glob);
  for (const std::string& name : plan.filter_names) rules.insert("filter " + name);
  std::string text = asked.follow_links ? "follow links\n" : "do not follow links\n";
  text += asked.ignore_snapshots ? "ignore snapshots\n" : "do not ignore snapshots\n";
  for (const std::string& rule : rules) text += rule + '\n';
  return text;
}

Result<std::vector<publish::ImageJob>> begin_images(const publish::PublishOptions& options, const ScanPlan& plan,
                                                    const std::string& scan_name, const std::string& selection,
                                                    std::chrono::system_clock::time_point started) {
  std::vector<publish::ImageJob> jobs;
  const image::ScanFacts facts = facts_of(plan, scan_name, selection, started);
  const auto add = [&](Result<publish::ImageJob> job) -> Result<void> {
    if (!job) return tl::unexpected(job.error());
    jobs.push_back(*std::move(job));
    return {};
  };
  if (options.save)
    if (auto added = add(begin(*options.save, facts, false, 0)); !added) return tl::unexpected(added.error());
  if (options.keep) {
    auto file = ipc::kept_image_file(ipc::runtime_directory(), scan_name);
    if (!file) return tl::unexpected(file.error());
    const std::uint64_t limit = options.keep_limit ? options.keep_limit->bytes : 0;
    if (auto added = add(begin(*file, facts, true, limit)); !added) return tl::unexpected(added.error());
  }
  return jobs;
}

}  // namespace pwalk::tools
