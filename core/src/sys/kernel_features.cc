#include "sys/kernel_features.h"

#include <fcntl.h>

#include <array>
#include <cerrno>

namespace pwalk::sys {
namespace {

constexpr int kNoDescriptor = -1;

}  // namespace

KernelFeatures probe_kernel(const Calls& calls) {
  struct ::statx answer {};
  KernelFeatures features;
  features.statx = calls.statx(AT_FDCWD, "/", AT_STATX_SYNC_AS_STAT, STATX_TYPE | STATX_MNT_ID, answer) == 0;
  features.mount_id = features.statx && (answer.stx_mask & STATX_MNT_ID);
  std::array<std::byte, 32> room;
  const long listed = calls.getdents(kNoDescriptor, room);  // EBADF wherever there is such a call
  features.getdents = listed != -ENOSYS && listed != -EPERM;
  return features;
}

}  // namespace pwalk::sys
