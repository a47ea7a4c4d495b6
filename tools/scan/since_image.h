#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli_options.h"
#include "pwalk/publish/publisher.h"
#include "pwalk/scan_plan.h"

/// --since and --trust-mtime, before the walk.
namespace pwalk::tools {

/// What cannot go together with --since or --trust-mtime: the whole line, or nothing.
std::optional<std::string> contradiction_of_since(const ScannerOptions& options);

/// An older image, and what has to be said of it.
struct SinceImage {
  publish::Since since;
  std::vector<std::string> notices;  ///< a line each
};

/// Opens IMAGE and looks whether this plan can be compared with it. Requires options.since. `selection`: of the plan.
/// Errors: EINVAL, it cannot (the message is the whole line); those of ipc::open_image().
Result<SinceImage> open_since(const publish::PublishOptions& options, const ScanPlan& plan, const std::string& selection);

}  // namespace pwalk::tools
