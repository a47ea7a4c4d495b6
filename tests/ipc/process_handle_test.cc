#include "process_handle.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "fork_sentinel.h"
#include "ipc/scan_fixture.h"

namespace pwalk::ipc {
namespace {

TEST(ProcessHandleTest, ThisProcessLives) {
  const auto self = ProcessHandle::self();
  ASSERT_TRUE(self);
  EXPECT_FALSE(self->dead());
}

TEST(ProcessHandleTest, ThePeerOfASocketIsKnownByItself) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()), 0);
  const UniqueFd one(pair[0]), two(pair[1]);
  const auto peer = ProcessHandle::of_peer(one.get(), UniqueFd());
  ASSERT_TRUE(peer) << peer.error().message();
  EXPECT_FALSE(peer->dead());
}

TEST(ProcessHandleTest, WithoutASocketOnlyAPidfdIsBelieved) {
  EXPECT_FALSE(ProcessHandle::of_peer(-1, UniqueFd()));
  EXPECT_FALSE(ProcessHandle::of_peer(-1, UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC))));
  EXPECT_TRUE(ProcessHandle::of_peer(-1, UniqueFd(::dup(ProcessHandle::self()->fd()))));
}

TEST(ProcessHandleTest, WithoutADescriptorForThePeersNothingElseIsBelieved) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()), 0);
  const UniqueFd one(pair[0]), two(pair[1]);
  UniqueFd claimed(::dup(ProcessHandle::self()->fd()));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const UniqueFd next(::dup(one.get()));  // none below it is free
  const rlimit none{rlim_t(next.get()), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto peer = ProcessHandle::of_peer(one.get(), std::move(claimed));
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(peer);
  EXPECT_EQ(peer.error().code, EMFILE);
}

/// From here on this process gets no SO_PEERPIDFD, as before Linux 6.5.
void forbid_peerpidfd() {
  std::array<sock_filter, 6> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsockopt, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 77, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{program.size(), program.data()};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) ::_exit(7);
}

TEST(ProcessHandleTest, OnAnOlderKernelThePeerIsFoundByItsNumber) {
  const pid_t child = ::fork();
  if (child == 0) {
    forbid_peerpidfd();
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) ::_exit(2);
    const auto peer = ProcessHandle::of_peer(pair[0], UniqueFd());
    if (!peer || peer->dead() || peer->pid() != ::getpid()) ::_exit(3);
    ::close(pair[1]);  // hung up: the number may be somebody else's by now
    ::_exit(ProcessHandle::of_peer(pair[0], UniqueFd()) ? 4 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
}

TEST(ProcessHandleTest, StoppedIsAliveAndAZombieIsDead) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    // The child's own end, so that the parent can ask who is there.
    const auto self = ProcessHandle::self();
    const int fd = self->fd();
    char control[CMSG_SPACE(sizeof fd)] = {};
    char byte = 0;
    iovec part{&byte, 1};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    ::sendmsg(pair[1], &message, 0);
    for (;;) ::pause();
  }
  char control[CMSG_SPACE(sizeof(int))] = {};
  char byte = 0;
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ASSERT_EQ(::recvmsg(pair[0], &message, 0), 1);
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  const auto handle = ProcessHandle::of_peer(-1, UniqueFd(fd));
  ASSERT_TRUE(handle);
  ::kill(child, SIGSTOP);
  EXPECT_FALSE(handle->dead());
  ::kill(child, SIGKILL);
  EXPECT_TRUE(testing::eventually([&] { return handle->dead(); })) << "it has not been reaped";
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(handle->dead());
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST(ForkSentinelTest, TellsTheChildFromTheParent) {
  const ForkSentinel sentinel;
  EXPECT_FALSE(sentinel.in_child());
  const pid_t child = ::fork();
  if (child == 0) ::_exit(sentinel.in_child() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(sentinel.in_child());
}

}  // namespace
}  // namespace pwalk::ipc
