#pragma once

#include "sys/calls.h"

namespace pwalk::sys {

/// What this kernel, or the sandbox around us, lets a walk use. A missing feature
/// costs columns, never the walk.
struct KernelFeatures {
  bool statx = false;     ///< Linux 4.11; without it fstatat: no btime, no mount_id
  bool mount_id = false;  ///< STATX_MNT_ID, Linux 5.8; without it mounts are told apart by device
  bool getdents = false;  ///< without it readdir(3), which a libc may serve in another way
};

/// Asks once, about `/` and about a descriptor that is none. Old container sandboxes
/// answer EPERM for calls they do not know; that counts as missing too.
KernelFeatures probe_kernel(const Calls& calls);

}  // namespace pwalk::sys
