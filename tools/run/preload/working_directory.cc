#include "run/preload/working_directory.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>

#include "run/preload/descriptors.h"
#include "run/preload/process_identity.h"
#include "run/preload/real_call.h"
#include "run/run_environment.h"

namespace pwalk::run {
namespace {

struct State {
  std::mutex mutex;
  bool known = false;
  bool scanned = false;
  std::string path;
};

State& state() {
  static auto* const only = new State;
  return *only;
}

/// What a vfork()ed child has changed, which its parent must not see.
struct ChildState {
  pid_t child = 0;
  bool scanned = false;
  std::string path;
};
thread_local ChildState* of_child = nullptr;

ChildState* child_state() { return of_child && of_child->child == ::getpid() ? of_child : nullptr; }

std::string kernel_directory() {
  char path[PATH_MAX];
  const long length = ::syscall(SYS_getcwd, path, sizeof path);
  return length > 0 && path[0] == '/' ? path : "";  // "(unreachable)…" is none
}

/// The first look: what this process inherited.
void learn(State& now) {
  if (now.known) return;
  now.known = true;
  const char* inherited = ::getenv(kDirectoryVariable);
  now.path = inherited && *inherited ? inherited : kernel_directory();
  const ScannedTree* tree = ScannedTree::instance();
  now.scanned = tree && !now.path.empty() && tree->covers(now.path);
}

void set_in_child(const std::string& path, bool scanned) {
  if (!of_child) of_child = new ChildState;
  *of_child = {::getpid(), scanned, path};
}

void set(const std::string& path, bool scanned) {
  if (!own_process()) return set_in_child(path, scanned);
  State& now = state();
  const std::lock_guard lock(now.mutex);
  now.known = true;
  now.path = path;
  now.scanned = scanned;
  // For programs that are started behind this library's back, such as system(3)'s.
  if (scanned) ::setenv(kDirectoryVariable, path.c_str(), 1);
  else ::unsetenv(kDirectoryVariable);
}

}  // namespace

std::string current_directory() {
  if (const ChildState* child = child_state()) return child->path;
  State& now = state();
  const std::lock_guard lock(now.mutex);
  learn(now);
  return now.path;
}

bool in_scanned_directory() {
  if (const ChildState* child = child_state()) return child->scanned;
  State& now = state();
  const std::lock_guard lock(now.mutex);
  learn(now);
  return now.scanned;
}

int enter_scanned_directory(const std::string& path) {
  const auto dead = descriptors().dead_directory();
  if (!dead) return dead.error();
  if (PWALK_REAL(fchdir)(*dead) != 0) return errno;
  set(path, true);
  return 0;
}

void left_for_real_directory() { set(kernel_directory(), false); }

std::string directory_assignment() {
  return std::string(kDirectoryVariable) + "=" + (in_scanned_directory() ? current_directory() : "");
}

}  // namespace pwalk::run
