#pragma once

#include <string>

#include "pwalk/ipc/scan_session.h"
#include "pwalk/scan_plan.h"

namespace pwalk::tools {

/// What --explain prints: the plan's decisions, which eBPF programs this kernel
/// takes, if any are asked for, then what memory a pool of
/// `session`'s size and kind gets on this machine right now, found by making one
/// in a private directory and giving it back. Safe to show.
std::string explanation(const ScanPlan& plan, ipc::SessionOptions session);

/// The same as {"decisions": [{"subject", "choice", "reason"}, ...]}, for programs.
std::string explanation_json(const ScanPlan& plan, ipc::SessionOptions session);

}  // namespace pwalk::tools
