#pragma once

#include <sys/types.h>

#include <string>

#include "pwalk/base/result.h"
#include "pwalk/base/unique_fd.h"

namespace pwalk::ipc {

/// A process, by pidfd (pidfd_open(2)): right about processes that are stopped
/// (alive), killed while a forked child keeps their descriptors (dead), or
/// zombies (dead), and no number that could be given to somebody else.
class ProcessHandle {
 public:
  ProcessHandle() = default;

  static Result<ProcessHandle> self();

  /// The process at the other end of a connected Unix socket. From the kernel
  /// (SO_PEERPIDFD, Linux 6.5), else by the pid of SO_PEERCRED, else (a peer in
  /// another PID namespace) the one that it `claimed` itself, if that is a pidfd.
  static Result<ProcessHandle> of_peer(int socket, UniqueFd claimed);

  bool dead() const;
  /// Its number as this process sees it; 0 if it has none here (another PID namespace) or is gone.
  pid_t pid() const;
  /// Its name as the kernel has it (/proc/PID/comm, at most 15 bytes); "" where pid() is 0.
  std::string command() const;
  int fd() const { return pidfd_.get(); }
  explicit operator bool() const { return bool(pidfd_); }

 private:
  explicit ProcessHandle(UniqueFd pidfd) : pidfd_(std::move(pidfd)) {}
  UniqueFd pidfd_;
};

}  // namespace pwalk::ipc
