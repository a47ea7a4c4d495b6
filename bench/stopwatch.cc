// Runs programs together and says what they took.
//
//   stopwatch COMMAND [ARGUMENT...] [--- COMMAND [ARGUMENT...]]...
//
// All start at once, with stdout and stderr on /dev/null. Prints one line of JSON when the last has ended: wall seconds
// from before the first start, and per program its exit code (128 + the signal's number if one ended it), CPU seconds and
// peak memory. A small program measures this because a child's peak begins with that of the process that forked it.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

struct Program {
  std::vector<char*> words;  ///< ends with a null pointer
  pid_t pid = -1;
  int exit_code = -1;
  double cpu_seconds = 0, peak_mib = 0;
};

std::vector<Program> programs_in(int argc, char** argv) {
  std::vector<Program> programs(1);
  for (int at = 1; at < argc; ++at) {
    if (std::strcmp(argv[at], "---") == 0)
      programs.emplace_back();
    else
      programs.back().words.push_back(argv[at]);
  }
  for (Program& program : programs) program.words.push_back(nullptr);
  return programs;
}

void start(Program& program, int null_fd) {
  program.pid = fork();
  if (program.pid < 0) {
    std::perror("stopwatch: fork");
    std::exit(1);
  }
  if (program.pid > 0) return;
  dup2(null_fd, STDOUT_FILENO);
  dup2(null_fd, STDERR_FILENO);
  execvp(program.words[0], program.words.data());
  _exit(127);
}

double seconds(const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) / 1e6; }

void wait_for_end(Program& program) {
  int status = 0;
  rusage usage{};
  while (wait4(program.pid, &status, 0, &usage) < 0) {
  }
  program.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  program.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  program.peak_mib = double(usage.ru_maxrss) / 1024;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Program> programs = programs_in(argc, argv);
  for (const Program& program : programs) {
    if (program.words[0] != nullptr) continue;
    std::fprintf(stderr, "usage: stopwatch COMMAND [ARGUMENT...] [--- COMMAND [ARGUMENT...]]...\n");
    return 2;
  }
  const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  const auto begin = std::chrono::steady_clock::now();
  for (Program& program : programs) start(program, null_fd);
  for (Program& program : programs) wait_for_end(program);
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  std::printf("{\"wall\": %.6f, \"programs\": [", wall);
  for (const Program& program : programs)
    std::printf("%s{\"exit\": %d, \"cpu\": %.6f, \"peak_mib\": %.1f}", &program == &programs.front() ? "" : ", ",
                program.exit_code, program.cpu_seconds, program.peak_mib);
  std::printf("]}\n");
}
