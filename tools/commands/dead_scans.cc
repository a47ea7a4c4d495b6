#include "commands/dead_scans.h"

#include <fmt/format.h>

#include <algorithm>

#include "process/message.h"
#include "pwalk/ipc/kept_images.h"
#include "pwalk/ipc/scan_directory.h"
#include "text/escape.h"

namespace pwalk::tools {

std::vector<std::string> clear_dead_scans() {
  auto removed = ipc::remove_dead_scans(ipc::runtime_directory());
  if (!removed) {
    if (removed.error().code != ENOENT) say("pwalk", escaped(removed.error().message()));
    return {};
  }
  if (auto images = ipc::remove_abandoned_images(ipc::runtime_directory()))
    for (std::string& name : *images)
      if (std::find(removed->begin(), removed->end(), name) == removed->end()) removed->push_back(std::move(name));
  std::string names;
  for (const std::string& name : *removed) names += (names.empty() ? "" : ", ") + escaped(name);
  if (!names.empty()) say("pwalk", "removed what dead scans left: " + names);
  return *std::move(removed);
}

}  // namespace pwalk::tools
