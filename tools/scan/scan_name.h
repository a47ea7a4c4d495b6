#pragma once

#include <string>

#include "pwalk/scan_plan.h"

namespace pwalk::tools {

/// A name made from the last component of the first root that can be walked, that
/// no scan has right now.
std::string free_scan_name(const ScanPlan& plan);

}  // namespace pwalk::tools
