#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pwalk/base/result.h"
#include "pwalk/base/unique_fd.h"

#ifndef SO_PASSRIGHTS  // Linux 6.16
#define SO_PASSRIGHTS 83
#endif

/// Unix SEQPACKET sockets in a directory, reached through a descriptor of it
/// (/proc/self/fd/N/sock): a socket's path holds 107 bytes, a scan's may be longer.
/// Every socket here is non-blocking and close-on-exec.
namespace pwalk::ipc {

inline constexpr const char* kSocketName = "sock";

/// Binds "sock" in `directory` (mode 0600) and listens.
Result<UniqueFd> listen_in(int directory, std::optional<gid_t> group = std::nullopt);

/// Connects to "sock" in `directory`. ECONNREFUSED: nobody listens any more;
/// ENOENT: there is none; EAGAIN: alive, but its queue is full just now.
Result<UniqueFd> connect_in(int directory);

/// Sends one packet with descriptors, without waiting. EAGAIN: the peer does not read;
/// EPERM: it takes no descriptors.
Result<void> send_packet(int socket, std::span<const std::byte> packet, std::span<const int> fds = {});

template <class M>
Result<void> send_message(int socket, const M& message, std::span<const int> fds = {}) {
  return send_packet(socket, std::as_bytes(std::span(&message, 1)), fds);
}

struct Packet {
  std::vector<std::byte> bytes;
  std::vector<UniqueFd> fds;
  bool whole = true;  ///< false: it was longer, or had more descriptors, than was asked for
};
/// Takes one packet of at most `most` bytes and 8 descriptors, without waiting.
/// EAGAIN: none is there; ECONNRESET: the peer has closed.
Result<Packet> receive_packet(int socket, std::size_t most);

/// The uid at the other end (SO_PEERCRED).
Result<uid_t> peer_uid(int socket);

/// Is the process at the other end a member of `group`, by its own group or a further one?
/// As of its connect(2) or listen(2).
bool peer_is_member(int socket, gid_t group);

}  // namespace pwalk::ipc
