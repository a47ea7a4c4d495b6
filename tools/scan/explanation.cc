#include "scan/explanation.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include "pwalk/kernel_programs.h"
#include "text/escape.h"
#include "text/figures.h"

namespace pwalk::tools {
namespace {

/// A runtime directory of our own for as long as it lives, so that a pool which is
/// only tried never shows up among the scans.
class PrivateRuntimeDirectory {
 public:
  PrivateRuntimeDirectory() {
    if (!::mkdtemp(path_.data())) return;
    made_ = true;
    ::setenv("PWALK_RUNTIME_DIR", path_.c_str(), 1);
  }
  ~PrivateRuntimeDirectory() {
    if (made_) ::rmdir(path_.c_str());
  }
  PrivateRuntimeDirectory(const PrivateRuntimeDirectory&) = delete;
  PrivateRuntimeDirectory& operator=(const PrivateRuntimeDirectory&) = delete;

  bool made() const { return made_; }

 private:
  std::string path_ = "/tmp/pwalk-explain.XXXXXX";
  bool made_ = false;
};

std::string line(std::string_view subject, std::string_view choice, std::string_view reason) {
  std::string text = fmt::format("{:<20} {}", subject, choice);
  if (!reason.empty()) text += fmt::format("  ({})", reason);
  return text + "\n";
}

std::string pool_lines(const ipc::PoolReport& pool) {
  return line("pool", byte_text(pool.bytes), fmt::format("{} blocks", pool.blocks)) +
         line("pages", pool.pages, pool.reason) + line("lanes", std::to_string(pool.lanes), "");
}

/// Tried, like the pool.
std::string program_lines(const ScanPlan& plan) {
  const auto programs = KernelPrograms::attach(plan);
  if (!programs) return line("kernel filter", "none, and it is required", escaped(programs.error().message()));
  std::string text;
  for (const Decision& decision : programs->decisions())
    text += line(decision.subject, decision.choice, escaped(decision.reason));
  return text;
}

}  // namespace

std::string explanation(const ScanPlan& plan, ipc::SessionOptions options) {
  std::string text = plan.explain() + program_lines(plan);
  const PrivateRuntimeDirectory directory;
  if (!directory.made()) return text + line("pool", "not tried", "no directory could be made in /tmp");
  options.name = "explain";
  const auto session = ipc::ScanSession::create(options);
  return text + (session ? pool_lines(session->pool())
                         : line("pool", "cannot be had", escaped(session.error().message())));
}

}  // namespace pwalk::tools
