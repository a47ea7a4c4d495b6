#pragma once

#include <sys/types.h>

#include <optional>
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
  /// it before appear(). With `group` its members may reach the socket: the
  /// directory is 0710, the socket 0660, and the runtime directory can be passed
  /// through, but not read. EPERM: the group is not one that we may share with.
  static Result<ScanHome> make(const std::string& runtime_directory, const std::string& name,
                               std::optional<gid_t> group = std::nullopt);

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
  Result<void> let_members_in();

  UniqueFd runtime_, directory_, listener_;
  std::string name_;     ///< to be had
  std::string present_;  ///< the name it has now; "" once moved from
  pid_t owner_ = 0;
  std::optional<gid_t> group_;  ///< that it is shared with
};

/// Connects to the scanner behind a scan directory. ECONNREFUSED, ENOENT: it is
/// dead; EAGAIN: its queue is full.
Result<UniqueFd> connect_to_scanner(int scan_directory);

/// Does somebody still listen in this scan directory? A scan that cannot be
/// reached for another reason (permission, a full queue) counts as alive.
bool is_alive(int scan_directory);

/// Opens the scan directory `name` without following a link; ours, or whoever's if
/// we are root. ENOENT, ENOTDIR, EPERM.
Result<UniqueFd> open_scan_directory(int runtime, const std::string& name);
/// The same of `owner`, who need not let us read it: good for reaching the socket only.
Result<UniqueFd> open_scan_directory_of(uid_t owner, int runtime, const std::string& name);

/// Is it a scan's at all, dead or alive? It then has a socket.
bool is_scan_directory(int directory);

/// Removes the directory of the dead scan `name`: moved aside first, looked at
/// again, then its socket and itself unlinked. ENOENT; EBUSY: it is alive;
/// ENOTEMPTY: it holds something that no scanner put there.
Result<void> remove_dead_directory(int runtime, const std::string& name);

/// Entries of the runtime directory, in no order, without "." and "..".
Result<std::vector<std::string>> names_in(int directory);

}  // namespace pwalk::ipc
