#include "scan/explanation.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

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

std::vector<Decision> pool_decisions(const ipc::PoolReport& pool) {
  std::vector<Decision> decisions{{"pool", byte_text(pool.bytes), fmt::format("{} blocks", pool.blocks)},
                                  {"pages", pool.pages, pool.reason},
                                  {"lanes", std::to_string(pool.lanes), ""}};
  if (!pool.nodes.empty())
    decisions.push_back({"blocks of a lane", "on the node of its threads", fmt::format("nodes {}", fmt::join(pool.nodes, ", "))});
  return decisions;
}

/// Tried, like the pool.
std::vector<Decision> program_decisions(const ScanPlan& plan) {
  const auto programs = KernelPrograms::attach(plan);
  if (!programs) return {{"kernel filter", "none, and it is required", programs.error().message()}};
  return programs->decisions();
}

std::vector<Decision> tried_pool(ipc::SessionOptions options) {
  const PrivateRuntimeDirectory directory;
  if (!directory.made()) return {{"pool", "not tried", "no directory could be made in /tmp"}};
  options.name = "explain";
  const auto session = ipc::ScanSession::create(options);
  if (!session) return {{"pool", "cannot be had", session.error().message()}};
  std::vector<Decision> decisions = pool_decisions(session->pool());
  decisions.push_back(options.lends_pool ? Decision{"batches read", "where they lie", "mapped read-only"}
                                         : Decision{"batches read", "from copies on the heap", "--no-use-mmap"});
  return decisions;
}

/// What only this machine can tell, right now.
std::vector<Decision> machine_decisions(const ScanPlan& plan, ipc::SessionOptions options) {
  std::vector<Decision> decisions = program_decisions(plan);
  for (Decision& decision : tried_pool(std::move(options))) decisions.push_back(std::move(decision));
  return decisions;
}

}  // namespace

std::string explanation(const ScanPlan& plan, ipc::SessionOptions options) {
  std::string text = plan.explain();
  for (const Decision& decision : machine_decisions(plan, std::move(options)))
    text += line(decision.subject, decision.choice, escaped(decision.reason));
  return text;
}

std::string explanation_json(const ScanPlan& plan, ipc::SessionOptions options) {
  std::vector<Decision> decisions = plan.decisions;
  for (Decision& decision : machine_decisions(plan, std::move(options))) decisions.push_back(std::move(decision));
  auto told = nlohmann::json::array();
  for (const Decision& decision : decisions)
    told.push_back({{"subject", escaped(decision.subject)},
                    {"choice", escaped(decision.choice)},
                    {"reason", escaped(decision.reason)}});
  return nlohmann::json{{"decisions", std::move(told)}}.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

}  // namespace pwalk::tools
