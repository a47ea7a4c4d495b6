#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pwalk/base/result.h"
#include "sys/calls.h"

namespace pwalk {

/// One line of /proc/self/mountinfo (proc(5)), escapes undone.
struct Mount {
  std::uint64_t id = 0;      ///< what statx calls stx_mnt_id
  std::uint64_t device = 0;  ///< makedev
  std::string point;         ///< where it is mounted, as this process sees it
  std::string filesystem;    ///< type, with its subtype: "ext4", "fuse.sshfs"
  std::string source;
};

/// The mounts of this process at one moment.
class MountTable {
 public:
  /// Reads mountinfo. What it cannot make sense of it leaves out.
  static Result<MountTable> read(const sys::Calls& calls);
  static MountTable parse(std::string_view mountinfo);

  /// The mount with this id (0: not known) or, failing that, the last one with
  /// this device, which is the one on top. Null if there is none.
  const Mount* find(std::uint64_t id, std::uint64_t device) const;

  const std::vector<Mount>& mounts() const { return mounts_; }

 private:
  std::vector<Mount> mounts_;
};

}  // namespace pwalk
