#include "commands/command.h"

namespace pwalk::tools {

std::span<const Command> commands() {
  static constexpr Command kCommands[] = {
      {"scans", "live scans, what dead ones left, and kept images", run_scans},
      {"tail", "attach to a scan and print its entries until the end", run_tail},
      {"find", "find(1) over an image", run_find},
      {"rm", "remove a kept image, or what a dead scan left", run_rm},
      {"doctor", "what this machine offers and what pwalk will use of it", run_doctor},
  };
  return kCommands;
}

}  // namespace pwalk::tools
