#include "control_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace pwalk::ipc {
namespace {

constexpr int kBacklog = 128;
constexpr std::size_t kMostFds = 8;
constexpr std::size_t kMostGroups = 65536;  // NGROUPS_MAX

#ifndef SO_PEERGROUPS  // older C libraries; Linux 4.13
#define SO_PEERGROUPS 59
#endif

/// How long closing a descriptor takes is up to whoever passed it (a TCP socket with SO_LINGER, a
/// file of FUSE). So none is taken, where the kernel can refuse them; where it cannot, a peer's
/// pidfd may be needed, see ProcessHandle::of_peer. Sockets that are accepted inherit it.
void refuse_descriptors(int listener) {
  const int no = 0;
  ::setsockopt(listener, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof no);
}

sockaddr_un address_in(int directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", directory, kSocketName);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Result<UniqueFd> new_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("cannot make a socket");
  return fd;
}

/// Room for the descriptors of one packet, aligned as cmsg(3) asks.
union ControlBuffer {
  cmsghdr align;
  std::array<char, CMSG_SPACE(kMostFds * sizeof(int))> bytes;
};

std::vector<UniqueFd> take_fds(msghdr& message) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

}  // namespace

Result<UniqueFd> listen_in(int directory, std::optional<gid_t> group) {
  auto socket = new_socket();
  if (!socket) return socket;
  refuse_descriptors(socket->get());
  const sockaddr_un address = address_in(directory);
  if (::bind(socket->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("cannot bind the scan's socket");
  // Nobody but us reaches it before this: the directory is 0700.
  if (::fchmodat(directory, kSocketName, 0600, 0) != 0) return fail_errno("cannot protect the scan's socket");
  if (group && (::fchownat(directory, kSocketName, uid_t(-1), *group, AT_SYMLINK_NOFOLLOW) != 0 ||
                ::fchmodat(directory, kSocketName, 0660, 0) != 0))
    return fail_errno(fmt::format("cannot share the scan's socket with group {}", *group));
  if (::listen(socket->get(), kBacklog) != 0) return fail_errno("cannot listen on the scan's socket");
  return socket;
}

Result<UniqueFd> connect_in(int directory) {
  auto socket = new_socket();
  if (!socket) return socket;
  const sockaddr_un address = address_in(directory);
  while (::connect(socket->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    if (errno != EINTR) return fail_errno("cannot connect to the scan's socket");
  return socket;
}

Result<void> send_packet(int socket, std::span<const std::byte> packet, std::span<const int> fds) {
  iovec part{const_cast<std::byte*>(packet.data()), packet.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ControlBuffer control{};
  if (!fds.empty()) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  while (::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    if (errno != EINTR) return fail_errno("cannot send over the scan's socket");
  return {};
}

Result<Packet> receive_packet(int socket, std::size_t most) {
  Packet packet;
  packet.bytes.resize(most);
  iovec part{packet.bytes.data(), packet.bytes.size()};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  ssize_t got = 0;
  while ((got = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0)
    if (errno != EINTR) return fail_errno("cannot receive over the scan's socket");
  packet.fds = take_fds(message);
  if (got == 0) return fail(ECONNRESET, "the other end closed the scan's socket");
  packet.bytes.resize(std::size_t(got));
  packet.whole = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  return packet;
}

Result<uid_t> peer_uid(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return fail_errno("cannot tell who is at the other end of the scan's socket");
  return peer.uid;
}

bool peer_is_member(int socket, gid_t group) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.gid == group) return true;
  // As many as a process may have: a second call for the right size could see other ones.
  std::vector<gid_t> further(kMostGroups);
  size = socklen_t(further.size() * sizeof(gid_t));
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, further.data(), &size) != 0) return false;
  further.resize(size / sizeof(gid_t));
  return std::find(further.begin(), further.end(), group) != further.end();
}

}  // namespace pwalk::ipc
