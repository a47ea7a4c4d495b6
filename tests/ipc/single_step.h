#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

/// A process that is stopped, or killed, after any instruction of a piece of its work.
namespace pwalk::ipc::testing {

/// In the work of a SteppedChild: what follows of it is not stepped through.
inline void end_of_steps() { ::raise(SIGSTOP); }

/// A forked child in front of that work. Killed and reaped in the destructor. Between stops of this one thread its
/// other threads run freely.
class SteppedChild {
 public:
  /// `ready()` runs at full speed; `work()` is to be stepped through, and returns what the child ends with.
  template <class Ready, class Work>
  SteppedChild(Ready&& ready, Work&& work) {
    pid_ = ::fork();
    if (pid_ == 0) {
      if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(kMayNotBeTraced);
      ready();
      ::raise(SIGSTOP);
      const int code = work();
      end_of_steps();
      ::_exit(code);
    }
    wait();
  }
  SteppedChild(const SteppedChild&) = delete;
  SteppedChild& operator=(const SteppedChild&) = delete;
  ~SteppedChild() { kill(); }

  /// False: this machine lets nobody trace. Nothing below may be called then.
  bool traced() const { return !ended_; }

  /// True: the work is not through yet. False: it is, or the child has died of it (see exit_code()).
  bool step(unsigned instructions) {
    for (unsigned i = 0; i < instructions && !through(); ++i) resume(PTRACE_SINGLESTEP);
    return !through();
  }
  /// To the next entrance into the kernel, or exit from it.
  bool to_next_system_call() {
    if (!through()) resume(PTRACE_SYSCALL);
    return !through();
  }
  void kill() {
    if (ended_) return;
    ::kill(pid_, SIGKILL);
    while (!ended_) wait();
  }
  /// Runs the rest at full speed. What work() returned, or 128 + the signal it died of.
  int exit_code() {
    while (!ended_) resume(PTRACE_CONT);
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  }

 private:
  static constexpr int kMayNotBeTraced = 99;

  void resume(decltype(PTRACE_CONT) how) {
    if (::ptrace(how, pid_, nullptr, nullptr) == 0) wait();
    if (!ended_) through_ |= WSTOPSIG(status_) == SIGSTOP;
  }
  void wait() {
    ::waitpid(pid_, &status_, 0);
    ended_ = !WIFSTOPPED(status_);
  }
  bool through() const { return through_ || ended_; }

  pid_t pid_ = -1;
  int status_ = 0;
  bool ended_ = false, through_ = false;
};

#if defined(__SANITIZE_ADDRESS__)
inline constexpr unsigned kUsualPoints = 15;  // of several times as many instructions
#else
inline constexpr unsigned kUsualPoints = 60;
#endif

/// How many of the instructions a sample stops at; PWALK_KILL_POINTS for the long run.
inline unsigned kill_points(unsigned usual = kUsualPoints) {
  const char* asked = std::getenv("PWALK_KILL_POINTS");
  return asked ? unsigned(std::strtoul(asked, nullptr, 10)) : usual;
}

/// For so many numbers of instructions, spread evenly over all that the work takes: `prepare()`, a child that is stopped
/// after that many, and `check(child)`, which may let it go on. It is dead when the next begins.
template <class Prepare, class Ready, class Work, class Check>
void stop_everywhere(unsigned points, Prepare&& prepare, Ready&& ready, Work&& work, Check&& check) {
  unsigned all = 64;
  for (;; all *= 2) {
    prepare();
    SteppedChild child(ready, work);
    if (!child.traced()) GTEST_SKIP() << "no process may be traced here";
    if (!child.step(all)) break;
    ASSERT_LT(all, 1u << 22);
  }
  const unsigned stride = std::max(1u, all / std::max(1u, points));
  for (unsigned steps = 0; steps <= all; steps += stride) {
    prepare();
    {
      SteppedChild child(ready, work);
      child.step(steps);
      check(child);
    }
    if (::testing::Test::HasFailure()) FAIL() << "stopped after " << steps << " instructions";
  }
}

/// The same, and the child is killed there; `check()` is called when it is dead.
template <class Prepare, class Ready, class Work, class Check>
void kill_everywhere(unsigned points, Prepare&& prepare, Ready&& ready, Work&& work, Check&& check) {
  stop_everywhere(points, prepare, ready, work, [&](SteppedChild& child) {
    child.kill();
    check();
  });
}

}  // namespace pwalk::ipc::testing
