#pragma once

#include "cli_options.h"
#include "pwalk/ipc/scan_session.h"
#include "pwalk/scan_plan.h"
#include "pwalk/walk_control.h"

namespace pwalk::tools {

/// What a session is made of, but for its name.
ipc::SessionOptions session_options(const ScannerOptions& options, const ScanPlan& plan);

/// Publishes the walk of a plan, shows progress, prints the summary. Returns the
/// exit code; does not return at all when a worker hangs in the kernel.
/// `control`: who follows the walk and holds it back, or null.
int run_scan(const ScannerOptions& options, const ScanPlan& plan, WalkControl* control);

}  // namespace pwalk::tools
