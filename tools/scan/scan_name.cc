#include "scan/scan_name.h"

#include "pwalk/ipc/scan_session.h"

namespace pwalk::tools {
namespace {

const PlannedRoot& naming_root(const ScanPlan& plan) {
  for (const PlannedRoot& root : plan.roots)
    if (root.error == 0) return root;
  return plan.roots.front();
}

}  // namespace

std::string free_scan_name(const ScanPlan& plan) {
  const std::string& path = naming_root(plan).path;
  const std::string last = path.substr(path.rfind('/') + 1);
  return ipc::unique_scan_name(last.empty() ? "/" : last);
}

}  // namespace pwalk::tools
