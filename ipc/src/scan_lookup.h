#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "control_socket.h"
#include "pwalk/base/result.h"
#include "pwalk/base/unique_fd.h"
#include "pwalk/ipc/scan_directory.h"

/// From what a user types to a connected scan.
namespace pwalk::ipc {

struct FoundScan {
  std::string runtime_directory, name;
  UniqueFd directory;
  UniqueFd socket;  ///< connected
};

/// Asked at least every 100 ms in a wait; true ends it with EINTR. May be empty.
using Interrupted = std::function<bool()>;

/// One look for a live scan: by name, USER/NAME, a root's absolute path (the
/// newest of several), or "" for the only one. EINVAL: no name, no user; ENOENT: there is none (the message
/// names those there are); EMLINK: several; EACCES, EPERM; EAGAIN: it is there but
/// does not answer; EINTR.
Result<FoundScan> find_scan(const std::string& wanted, const Interrupted& interrupted);

/// Waits in slices for a packet of at most `most` bytes. ETIMEDOUT: the scan does
/// not answer; EINTR; ECONNRESET.
Result<Packet> await_packet(int socket, std::size_t most, std::chrono::milliseconds timeout,
                            const Interrupted& interrupted);

/// Asks a scan for its status over a connected socket. EPROTO, and as await_packet().
Result<ScanStatus> ask_status(int socket, std::chrono::milliseconds timeout,
                              const Interrupted& interrupted = {});

}  // namespace pwalk::ipc
