// Starting programs: they get the library and the working directory with them.
#include <alloca.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "run/preload/path_lookup.h"
#include "run/preload/working_directory.h"
#include "run/program_check.h"
#include "run/run_environment.h"

using namespace pwalk::run;

namespace {

bool sets(const char* assignment, const char* variable) {
  const std::size_t length = std::strlen(variable);
  return std::strncmp(assignment, variable, length) == 0 && assignment[length] == '=';
}

bool is_ours(const char* assignment) {
  return sets(assignment, kImageVariable) || sets(assignment, kContentsVariable) || sets(assignment, kDirectoryVariable) ||
         sets(assignment, kPreloadVariable);
}

/// An environment with what a program below `pwalk run` needs in it, whatever the
/// program above did to its own.
class RunEnvironment {
 public:
  RunEnvironment(const ScannedTree& tree, char* const* given)
      : ours_{std::string(kPreloadVariable) + "=" + tree.preload(), std::string(kImageVariable) + "=" + tree.image_file(),
              std::string(kContentsVariable) + "=" + (tree.contents() == Contents::real ? "real" : "refuse"),
              directory_assignment()} {
    for (char* const* at = given; at && *at; ++at)
      if (!is_ours(*at)) pointers_.push_back(*at);
    for (std::string& assignment : ours_) pointers_.push_back(assignment.data());
    pointers_.push_back(nullptr);
  }
  char* const* get() const { return pointers_.data(); }

 private:
  std::array<std::string, 4> ours_;
  std::vector<char*> pointers_;
};

/// Kept until this thread starts the next program: a vfork()ed child has no occasion to free it.
char* const* run_environment(const ScannedTree& tree, char* const* given) {
  thread_local std::unique_ptr<RunEnvironment> last;
  last = std::make_unique<RunEnvironment>(tree, given);
  return last->get();
}

/// 0, or the errno with which the program is not started; a line says why.
int refuse(const Call& call, const std::string& program) {
  const Located where = locate(call, AT_FDCWD, program.c_str());
  if (where.inside && where.error) return where.error;
  if (where.inside) return call.tree()->contents() == Contents::real ? 0 : EACCES;
  const auto why = why_not_preloadable(where.path);
  if (!why) return 0;
  const std::string line = "pwalk run: '" + program + "' " + *why + ", so it would see the real tree\n";
  static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
  return EACCES;
}

int execute(const char* program, char* const argv[], char* const given[]) {
  Call call;
  if (!call.tree()) return call.pass(PWALK_REAL(execve), program, argv, given);
  if (const int error = refuse(call, program)) return call.fail(error);
  const Located where = locate(call, AT_FDCWD, program);
  return call.pass(PWALK_REAL(execve), where.inside ? where.absolute.c_str() : where.path, argv, run_environment(*call.tree(), given));
}

int execute_by_name(const char* name, char* const argv[], char* const given[]) {
  Call call;
  if (!call.tree()) return call.pass(PWALK_REAL(execvpe), name, argv, given);
  if (const auto program = find_program(name))
    if (const int error = refuse(call, *program)) return call.fail(error);
  return call.pass(PWALK_REAL(execvpe), name, argv, run_environment(*call.tree(), given));
}

/// posix_spawn and posix_spawnp: they return the errno.
template <class Real>
int spawn(const std::string& program, char* const given[], Real real) {
  Call call;
  if (!call.tree()) return call.pass(real, given);
  if (const int error = refuse(call, program)) return error;
  return call.pass(real, run_environment(*call.tree(), given));
}

}  // namespace

PWALK_TAKES int execve(const char* program, char* const argv[], char* const envp[]) { return execute(program, argv, envp); }
PWALK_TAKES int execv(const char* program, char* const argv[]) { return execute(program, argv, environ); }
PWALK_TAKES int execvp(const char* name, char* const argv[]) { return execute_by_name(name, argv, environ); }
PWALK_TAKES int execvpe(const char* name, char* const argv[], char* const envp[]) { return execute_by_name(name, argv, envp); }

// The arguments of the execl family, as an array on the stack: a vfork()ed child may leave nothing on the heap.
#define PWALK_COLLECT_ARGUMENTS(first, list, argv)                        \
  std::size_t count = 1;                                                  \
  va_start(list, first);                                                  \
  while (va_arg(list, char*)) ++count;                                    \
  va_end(list);                                                           \
  char** const argv = static_cast<char**>(alloca((count + 1) * sizeof(char*))); \
  argv[0] = const_cast<char*>(first);                                     \
  va_start(list, first);                                                  \
  for (std::size_t i = 1; i <= count; ++i) argv[i] = va_arg(list, char*)

PWALK_TAKES int execl(const char* program, const char* first, ...) {
  va_list list;
  PWALK_COLLECT_ARGUMENTS(first, list, argv);
  va_end(list);
  return execute(program, argv, environ);
}
PWALK_TAKES int execlp(const char* name, const char* first, ...) {
  va_list list;
  PWALK_COLLECT_ARGUMENTS(first, list, argv);
  va_end(list);
  return execute_by_name(name, argv, environ);
}
PWALK_TAKES int execle(const char* program, const char* first, ...) {
  va_list list;
  PWALK_COLLECT_ARGUMENTS(first, list, argv);
  char* const* const envp = va_arg(list, char* const*);
  va_end(list);
  return execute(program, argv, envp);
}
PWALK_TAKES int fexecve(int fd, char* const argv[], char* const envp[]) {
  Call call;
  if (!call.tree()) return call.pass(PWALK_REAL(fexecve), fd, argv, envp);
  return call.pass(PWALK_REAL(fexecve), fd, argv, run_environment(*call.tree(), envp));
}
PWALK_TAKES int execveat(int directory, const char* program, char* const argv[], char* const envp[], int flags) {
  Call call;
  if (!call.tree()) return call.pass(PWALK_REAL(execveat), directory, program, argv, envp, flags);
  return call.pass(PWALK_REAL(execveat), directory, program, argv, run_environment(*call.tree(), envp), flags);
}

PWALK_TAKES int posix_spawn(pid_t* pid, const char* program, const posix_spawn_file_actions_t* actions,
                            const posix_spawnattr_t* attributes, char* const argv[], char* const envp[]) {
  return spawn(program, envp, [=](char* const* environment) {
    return PWALK_REAL(posix_spawn)(pid, program, actions, attributes, argv, environment);
  });
}
PWALK_TAKES int posix_spawnp(pid_t* pid, const char* name, const posix_spawn_file_actions_t* actions,
                             const posix_spawnattr_t* attributes, char* const argv[], char* const envp[]) {
  return spawn(find_program(name).value_or(name), envp, [=](char* const* environment) {
    return PWALK_REAL(posix_spawnp)(pid, name, actions, attributes, argv, environment);
  });
}
