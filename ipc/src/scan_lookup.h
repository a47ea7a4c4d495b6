#pragma once

#include <chrono>
#include <functional>
#include <string>

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

/// One look for a live scan: by name, USER/NAME, a root's absolute path (the
/// newest of several), or "" for the only one. EINVAL: no name, no user; ENOENT: there is none (the message
/// names those there are); EMLINK: several; EACCES, EPERM; EAGAIN: it is there but
/// busy.
Result<FoundScan> find_scan(const std::string& wanted);

/// Asks a scan for its status over a connected socket. ETIMEDOUT, EPROTO, ECONNRESET.
Result<ScanStatus> ask_status(int socket, std::chrono::milliseconds timeout);

}  // namespace pwalk::ipc
