#include "commands/command.h"

namespace pwalk::tools {

std::span<const Command> commands() {
  static constexpr Command kCommands[] = {
      {"scans", "live scans, what dead ones left, and kept images", run_scans},
      {"tail", "attach to a scan and print its entries until the end", run_tail},
      {"ls", "list directories of an image", run_ls},
      {"stat", "show what is known of a path", run_stat},
      {"tree", "draw directories of an image", run_tree},
      {"find", "find(1) over an image", run_find},
      {"du", "sum up what directories take", run_du},
      {"glob", "print the paths that shell patterns match", run_glob},
      {"diff", "what changed between two images", run_diff},
      {"export", "write a scan's entries to a csv, jsonl, Arrow or Parquet file", run_export},
      {"run", "run a program that sees the scanned tree from an image", run_run},
      {"rm", "remove a kept image, or what a dead scan left", run_rm},
      {"doctor", "what this machine offers and what pwalk will use of it", run_doctor},
  };
  return kCommands;
}

}  // namespace pwalk::tools
