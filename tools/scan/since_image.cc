#include "scan/since_image.h"

#include <fmt/format.h>

#include <algorithm>

#include "pwalk/base/lies_below.h"
#include "pwalk/ipc/kept_images.h"

namespace pwalk::tools {
namespace {

using schema::Column;
using schema::ColumnSet;

/// What a directory is recognised by.
constexpr ColumnSet kRecognised{Column::device, Column::inode, Column::mtime, Column::ctime};

std::string names_of(ColumnSet columns) {
  std::string names;
  for (const Column column : columns) names.append(names.empty() ? "" : ", ").append(schema::name_of(column));
  return names;
}

Result<void> check_roots(const ScanPlan& plan) {
  for (std::size_t a = 0; a < plan.roots.size(); ++a)
    for (std::size_t b = 0; b < plan.roots.size(); ++b)
      if (a != b && lies_below(plan.roots[a].path, plan.roots[b].path))
        return fail(EINVAL, fmt::format("--since takes roots that do not overlap; '{}' lies in '{}'", plan.roots[a].path,
                                        plan.roots[b].path));
  return {};
}

/// A directory that is not read gives the rows of the older scan.
Result<void> check_columns(const std::string& image, ColumnSet wanted, ColumnSet there) {
  if (const ColumnSet missing = kRecognised - wanted; !missing.empty())
    return fail(EINVAL, fmt::format("--trust-mtime recognises directories by {}; --columns leaves out {}", names_of(kRecognised),
                                    names_of(missing)));
  if (const ColumnSet missing = wanted - there; !missing.empty())
    return fail(EINVAL, fmt::format("--trust-mtime takes rows from '{}', which has no {}; ask for less with --columns, or leave "
                                    "--trust-mtime out", image, names_of(missing)));
  return {};
}

std::vector<std::string> notices_about(const std::string& image, const ResultsFilesystem& before, const ScanPlan& plan) {
  std::vector<std::string> notices;
  if (before.state() != image::ImageState::complete)
    notices.push_back(fmt::format("the scan of '{}' was not complete; what it did not find counts as added", image));
  const auto& old_roots = before.facts().roots;
  for (const PlannedRoot& root : plan.roots)
    if (!before.stat(root.path) && std::none_of(old_roots.begin(), old_roots.end(), [&](const std::string& old_root) {
          return lies_below(old_root, root.path);
        }))
      notices.push_back(fmt::format("'{}' has nothing of '{}', so all of it counts as added", image, root.path));
  return notices;
}

}  // namespace

std::optional<std::string> contradiction_of_since(const ScannerOptions& options) {
  const publish::PublishOptions& publish = options.publish;
  if (!publish.since) {
    if (publish.trust_mtime) return "--trust-mtime needs an older image, --since IMAGE, which is not given";
    return std::nullopt;
  }
  if (publish.on_slow == publish::OnSlow::image)
    return "--on-slow image cannot go with --since: the image has everything, the stream only what changed; allowed are wait, evict";
  if (!publish.trust_mtime) return std::nullopt;
  if (options.scan.traversal.follow_links)
    return "--trust-mtime cannot go with --follow-links: what a link leads to changes without its directory";
  if (options.scan.attributes.coherence == Coherence::lazy)
    return "--trust-mtime cannot go with --coherence lazy: an old answer would hide what changed; allowed are normal, force";
  return std::nullopt;
}

Result<SinceImage> open_since(const publish::PublishOptions& options, const ScanPlan& plan, const std::string& selection) {
  const std::string& image = *options.since;
  if (image.empty()) return fail(EINVAL, "--since '': names no image");
  auto before = ipc::open_image(image);
  if (!before) return tl::unexpected(before.error());
  if (auto fine = check_roots(plan); !fine) return tl::unexpected(fine.error());
  if (before->facts().selection != selection)
    return fail(EINVAL, fmt::format("--since: '{}' was made with other --exclude, --include, --filter-names, --follow-links or "
                                    "--ignore-snapshots; give the same ones", image));
  if (options.trust_mtime)
    if (auto fine = check_columns(image, plan.columns, before->facts().columns); !fine) return tl::unexpected(fine.error());
  auto notices = notices_about(image, *before, plan);
  return SinceImage{{*std::move(before), options.trust_mtime}, std::move(notices)};
}

}  // namespace pwalk::tools
