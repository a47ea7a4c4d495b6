#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pwalk/base/result.h"
#include "pwalk/base/unique_fd.h"
#include "pwalk/ipc/scan_figures.h"

/// The runtime directory: where scans are found, and cleaned up after.
namespace pwalk::ipc {

/// `$PWALK_RUNTIME_DIR`, else `/dev/shm/pwalk-<euid>`.
std::string runtime_directory();
/// Another user's: `/dev/shm/pwalk-<uid of user>`. ENOENT: no such user.
Result<std::string> runtime_directory_of(const std::string& user);

/// The group's number, by name or as digits. ENOENT: no such group.
Result<gid_t> group_named(const std::string& group);

/// The runtime directory of another user, in order to pass through it: it must be
/// his and only his to write, and no link. It need not be readable for us.
struct TheirRuntimeDirectory {
  std::string path;
  uid_t owner = 0;
  UniqueFd directory;  ///< O_PATH
};
/// ENOENT: he has none; EPERM.
Result<TheirRuntimeDirectory> open_runtime_directory_of(const std::string& user);

/// Opens it, making it (0700) if `create`. Refuses (EPERM) what is not a
/// directory of ours, is reached through a link, or can be written by others.
Result<UniqueFd> open_runtime_directory(const std::string& path, bool create);

struct ConsumerStatus {
  std::string label;           ///< what it calls itself
  std::string command;         ///< its process's name, as the scanner read it; "" if it cannot see it
  std::uint32_t pid = 0;       ///< as the scanner sees it; 0: it does not (another PID namespace)
  std::uint64_t held_batches = 0;
  std::uint64_t lag_rows = 0;  ///< published but not yet taken by it
  bool holding_back = false;   ///< a full pool waits for it right now
  double holding_back_seconds = 0;
  std::string group;     ///< whose member it is; "" for none
  bool evicted = false;  ///< and still holds what it had taken

  /// "loader (pid 12, python3)"; without what is not known, or said already.
  std::string who() const;
};

/// What a live scan says of itself, or what can be told of a dead one.
struct ScanStatus {
  std::string name;
  std::string user;  ///< owner of the directory
  std::vector<std::string> roots;
  std::string state;    ///< waiting, walking, draining, dead; unresponsive: alive, but it does not answer
  std::string started;  ///< RFC 3339, UTC
  std::uint64_t entries = 0, errors = 0;
  std::uint64_t pool_bytes = 0;
  std::string pages;  ///< what huge pages were obtained
  std::string image;  ///< absolute; the image that is being built of it, FILE.partial; "" if none is
  bool goes_on_from_image = false;  ///< who is evicted may read on in the image
  std::vector<ConsumerStatus> consumers;
  std::optional<ScanFigures> figures;  ///< once the walk has begun
};

/// Every scan in the runtime directory, dead ones included, by name.
Result<std::vector<ScanStatus>> list_scans(const std::string& runtime_directory);

/// Removes what dead scans left. Returns their names. Live scans are not touched,
/// and nothing is that no scanner puts there.
Result<std::vector<std::string>> remove_dead_scans(const std::string& runtime_directory);

/// Removes the dead scan `name`. ENOENT: no such scan; EBUSY: it is alive;
/// ENOTEMPTY: its directory holds something that no scanner put there.
Result<void> remove_scan(const std::string& runtime_directory, const std::string& name);

/// EINVAL unless `name` can be a scan's: 1 to 64 of [A-Za-z0-9._-], not starting with a dot or dash.
Result<void> check_scan_name(const std::string& name);

}  // namespace pwalk::ipc
