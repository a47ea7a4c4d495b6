#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "pwalk/base/result.h"
#include "pwalk/base/unique_fd.h"

/// A scan's directory below the runtime directory: mode 0700, holding its socket.
/// Names that begin with a dot are not scans: `.new-…` is being made, `.dead-…`
/// is being removed.
namespace pwalk::ipc {

/// The directory of a live scan, from the scanner's side. Move-only.
class ScanHome {
 public:
  /// Makes the directory under a temporary name and listens in it. Nobody finds
  /// it before appear().
  static Result<ScanHome> make(const std::string& runtime_directory, const std::string& name);

  /// Takes its name, once everything behind the socket is ready. A dead scan's
  /// directory of that name is removed. EEXIST: a live scan has it.
  Result<void> appear();

  int listener() const { return listener_.get(); }

  ScanHome(ScanHome&&) noexcept;
  ScanHome& operator=(ScanHome&&) = delete;
  /// Removes the directory, unless this is a forked child's copy.
  ~ScanHome();

 private:
  ScanHome() = default;
  Result<void> make_directory();

  UniqueFd runtime_, directory_, listener_;
  std::string name_;     ///< to be had
  std::string present_;  ///< the name it has now; "" once moved from
  pid_t owner_ = 0;
};

/// Connects to the scanner behind a scan directory. ECONNREFUSED, ENOENT: it is
/// dead; EAGAIN: its queue is full.
Result<UniqueFd> connect_to_scanner(int scan_directory);

/// Does somebody still listen in this scan directory? A scan that cannot be
/// reached for another reason (permission, a full queue) counts as alive.
bool is_alive(int scan_directory);

/// Opens the scan directory `name` without following a link. ENOENT, ENOTDIR, EPERM.
Result<UniqueFd> open_scan_directory(int runtime, const std::string& name);

/// Is it a scan's at all, dead or alive? It then has a socket.
bool is_scan_directory(int directory);

/// Removes the directory of the dead scan `name`: moved aside first, looked at
/// again, then its socket and itself unlinked. ENOENT; EBUSY: it is alive;
/// ENOTEMPTY: it holds something that no scanner put there.
Result<void> remove_dead_directory(int runtime, const std::string& name);

/// Entries of the runtime directory, in no order, without "." and "..".
Result<std::vector<std::string>> names_in(int directory);

}  // namespace pwalk::ipc
