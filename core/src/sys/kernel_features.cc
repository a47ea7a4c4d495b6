#include "sys/kernel_features.h"

#include <fcntl.h>

namespace pwalk::sys {

KernelFeatures probe_kernel(const Calls& calls) {
  struct ::statx answer {};
  KernelFeatures features;
  features.statx = calls.statx(AT_FDCWD, "/", AT_STATX_SYNC_AS_STAT, STATX_TYPE | STATX_MNT_ID, answer) == 0;
  features.mount_id = features.statx && (answer.stx_mask & STATX_MNT_ID);
  return features;
}

}  // namespace pwalk::sys
