#pragma once

#include <optional>
#include <string>

#include "cli_options.h"
#include "pwalk/ipc/scan_session.h"
#include "pwalk/scan_plan.h"
#include "pwalk/walk_control.h"
#include "scan/since_image.h"

namespace pwalk::tools {

/// What a session is made of, but for its name.
ipc::SessionOptions session_options(const ScannerOptions& options, const ScanPlan& plan);

/// What is known of a scan before it starts, beside options and plan.
struct ScanContext {
  std::string selection;            ///< of the plan, see selection_of()
  std::optional<SinceImage> since;  ///< with --since
  WalkControl* control = nullptr;   ///< who follows the walk and holds it back, or null
};

/// Publishes the walk of a plan, shows progress, prints the summary. Returns the
/// exit code; does not return at all when a worker hangs in the kernel.
int run_scan(const ScannerOptions& options, const ScanPlan& plan, const ScanContext& context);

}  // namespace pwalk::tools
