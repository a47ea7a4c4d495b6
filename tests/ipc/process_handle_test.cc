#include "process_handle.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

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
