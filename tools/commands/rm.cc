#include <fmt/format.h>

#include <algorithm>

#include "commands/command.h"
#include "commands/dead_scans.h"
#include "commands/usage.h"
#include "process/message.h"
#include "pwalk/ipc/kept_images.h"
#include "pwalk/ipc/scan_directory.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

constexpr const char* kProgram = "pwalk rm";

std::string why_not(const std::string& name, const Error& error) {
  const std::string shown = escaped(name);
  switch (error.code) {
    case EBUSY: return fmt::format("'{}' is alive; end its scanner first (Ctrl-C, or kill -TERM)", shown);
    case ENOENT: return fmt::format("'{}': no such scan or image; see pwalk scans", shown);
    case EINVAL: return fmt::format("'{}': {}", shown, error.what);
    default: return escaped(error.message());
  }
}

/// The image of that name, and the dead scan, whichever there is.
Result<void> remove_named(const std::string& name) {
  auto image = ipc::remove_kept_image(ipc::runtime_directory(), name);
  auto scan = ipc::remove_scan(ipc::runtime_directory(), name);
  if (!scan && scan.error().code != ENOENT && !(image && scan.error().code == EBUSY)) return scan;
  return image || scan ? Result<void>{} : image;
}

}  // namespace

int run_rm(int argc, const char* const* argv) {
  CommandLine command_line(kProgram, "SCAN...", "Removes kept images, and what dead scans left. Live scans are not touched.");
  if (auto code = parse_or_exit(command_line, argc, argv, std::size_t(-1))) return *code;
  if (command_line.arguments().empty()) {
    say(kProgram, "no SCAN given; allowed are one or more names, see pwalk scans");
    return kUsage;
  }
  const auto removed = clear_dead_scans();
  int code = kComplete;
  for (const std::string& name : command_line.arguments()) {
    if (std::find(removed.begin(), removed.end(), name) != removed.end()) continue;
    if (auto gone = remove_named(name); !gone) {
      say(kProgram, why_not(name, gone.error()));
      code = std::max<int>(code, gone.error().code == EINVAL ? kUsage : kCutShort);
    }
  }
  return code;
}

}  // namespace pwalk::tools
