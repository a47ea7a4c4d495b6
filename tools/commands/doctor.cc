#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>

#include "commands/command.h"
#include "commands/dead_scans.h"
#include "commands/usage.h"
#include "doctor/kernel_findings.h"
#include "doctor/memory_findings.h"
#include "process/message.h"
#include "pwalk/ipc/scan_directory.h"
#include "text/escape.h"
#include "text/table.h"
#include "version.h"

extern char** environ;

namespace pwalk::tools {
namespace {

constexpr const char* kProgram = "pwalk doctor";

Findings program_findings() {
  return {{"pwalk", kVersion, ""}, {"runtime directory", escaped(ipc::runtime_directory()), ""}};
}

std::string text_of(const Findings& findings) {
  Table table({"SUBJECT", "HERE", "WHAT IT MEANS"});
  for (const Finding& finding : findings) table.add({finding.subject, finding.value, finding.remark});
  return table.aligned();
}

/// The scanner that was installed or built beside this program.
std::string scanner_path() {
  char self[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self);
  const std::string path = length > 0 ? std::string(self, std::size_t(length)) : "";
  return path.substr(0, path.rfind('/') + 1) + "pwalk-scanner";
}

/// What would be decided for a path is known to the scanner alone, so it is asked:
/// its --explain goes to our stdout.
int explain_path(std::string path) {
  write_all(STDOUT_FILENO, fmt::format("\nA scan of '{}' would use:\n", escaped(path)));
  std::string scanner = scanner_path(), explain = "--explain", end_of_flags = "--";
  char* const arguments[] = {scanner.data(), explain.data(), end_of_flags.data(), path.data(), nullptr};
  pid_t child = 0;
  if (const int error = ::posix_spawn(&child, scanner.c_str(), nullptr, nullptr, arguments, environ)) {
    say(kProgram, Error{error, "cannot run '" + escaped(scanner) + "'"}.message());
    return kCutShort;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : int(kCutShort);
}

}  // namespace

int run_doctor(int argc, const char* const* argv) {
  CommandLine command_line(kProgram, "[PATH]", "What this machine, container and mount offer, and what pwalk uses.");
  if (auto code = parse_or_exit(command_line, argc, argv, 1)) return *code;
  clear_dead_scans();
  Findings findings = program_findings();
  const SystemFiles files;
  for (const Findings& more : {memory_findings(files), kernel_findings(files)})
    findings.insert(findings.end(), more.begin(), more.end());
  write_all(STDOUT_FILENO, text_of(findings));
  const auto& arguments = command_line.arguments();
  return explain_path(arguments.empty() ? "." : arguments.front());
}

}  // namespace pwalk::tools
