#pragma once

#include <string>
#include <vector>

#include "pwalk/base/result.h"
#include "pwalk/scan_plan.h"

namespace pwalk::tools {

/// The name a scan gets: the one asked for, checked (EINVAL), or one made from
/// the last component of the first root that can be walked, made unique.
Result<std::string> choose_scan_name(const std::optional<std::string>& asked, const ScanPlan& plan);

}  // namespace pwalk::tools
