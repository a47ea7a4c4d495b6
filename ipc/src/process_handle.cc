#include "process_handle.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

namespace pwalk::ipc {
namespace {

UniqueFd pidfd_open(pid_t pid) {
  return UniqueFd(int(::syscall(SYS_pidfd_open, pid, 0)));
}

UniqueFd peer_pidfd(int socket) {
  int fd = -1;
  socklen_t size = sizeof fd;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) != 0) return UniqueFd();
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return UniqueFd(fd);
}

bool hung_up(int socket) {
  pollfd wait{socket, POLLRDHUP, 0};
  return ::poll(&wait, 1, 0) > 0 && (wait.revents & (POLLHUP | POLLRDHUP | POLLERR)) != 0;
}

/// By number: sound while the connection stands, since its owner then cannot have
/// been reaped and its pid given away.
UniqueFd peer_by_pid(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0) return UniqueFd();
  UniqueFd fd = pidfd_open(peer.pid);
  return hung_up(socket) ? UniqueFd() : std::move(fd);
}

/// Signal 0 through anything but a pidfd is EBADF.
bool is_pidfd(int fd) {
  return ::syscall(SYS_pidfd_send_signal, fd, 0, nullptr, 0) == 0 || errno != EBADF;
}

}  // namespace

Result<ProcessHandle> ProcessHandle::self() {
  UniqueFd fd = pidfd_open(::getpid());
  if (!fd) return fail_errno("cannot open a pidfd of this process");
  return ProcessHandle(std::move(fd));
}

Result<ProcessHandle> ProcessHandle::of_peer(int socket, UniqueFd claimed) {
  if (UniqueFd fd = peer_pidfd(socket)) return ProcessHandle(std::move(fd));
  // Not the kernel's ignorance, so that nothing else is believed either.
  if (errno == EMFILE || errno == ENFILE)
    return fail_errno("no descriptor is left to watch the process at the other end of the socket");
  if (UniqueFd fd = peer_by_pid(socket)) return ProcessHandle(std::move(fd));
  if (claimed && is_pidfd(claimed.get())) return ProcessHandle(std::move(claimed));
  return fail(ESRCH, "cannot tell which process is at the other end of the socket");
}

bool ProcessHandle::dead() const {
  pollfd wait{pidfd_.get(), POLLIN, 0};
  return ::poll(&wait, 1, 0) > 0 && (wait.revents & POLLIN) != 0;
}

pid_t ProcessHandle::pid() const {
  // A pidfd's fdinfo has a line "Pid:", -1 once it is gone (pidfd_open(2)).
  std::ifstream facts("/proc/self/fdinfo/" + std::to_string(pidfd_.get()));
  for (std::string line; std::getline(facts, line);)
    if (line.rfind("Pid:", 0) == 0) return std::max(0, std::atoi(line.c_str() + 4));
  return 0;
}

std::string ProcessHandle::command() const {
  const pid_t number = pid();
  if (number == 0) return "";
  std::ifstream file("/proc/" + std::to_string(number) + "/comm");
  std::string name;
  std::getline(file, name);
  // The number was its own for as long as it lives.
  return dead() ? "" : name;
}

}  // namespace pwalk::ipc
