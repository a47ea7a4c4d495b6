#pragma once

#include <span>
#include <string>

/// The commands of `pwalk`. Each reads its own command line (argv[0] is its own
/// name) and returns an exit code.
namespace pwalk::tools {

struct Command {
  const char* name;
  const char* summary;
  int (*run)(int argc, const char* const* argv);
};

/// Every command, in the order of the help screen.
std::span<const Command> commands();

int run_scans(int argc, const char* const* argv);
int run_tail(int argc, const char* const* argv);
int run_ls(int argc, const char* const* argv);
int run_stat(int argc, const char* const* argv);
int run_tree(int argc, const char* const* argv);
int run_du(int argc, const char* const* argv);
int run_glob(int argc, const char* const* argv);
int run_find(int argc, const char* const* argv);
int run_diff(int argc, const char* const* argv);
int run_export(int argc, const char* const* argv);
int run_run(int argc, const char* const* argv);
int run_rm(int argc, const char* const* argv);
int run_doctor(int argc, const char* const* argv);

}  // namespace pwalk::tools
