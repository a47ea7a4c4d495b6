#include "memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace pwalk::ipc {

Result<UniqueFd> create_memfd(const char* name, std::uint64_t bytes, unsigned flags) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags));
  if (!fd) return fail_errno("cannot make shared memory (memfd_create)");
  if (::ftruncate(fd.get(), off_t(bytes)) != 0)
    return fail_errno("cannot make shared memory of " + std::to_string(bytes) + " bytes");
  return fd;
}

Result<void> allocate(int fd, std::uint64_t offset, std::uint64_t bytes) {
  while (::fallocate(fd, 0, off_t(offset), off_t(bytes)) != 0)
    if (errno != EINTR)
      return fail_errno("cannot allocate " + std::to_string(bytes) + " bytes of shared memory");
  return {};
}

Result<void> seal(int fd, bool read_only) {
  const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | (read_only ? F_SEAL_FUTURE_WRITE : 0);
  if (::fcntl(fd, F_ADD_SEALS, seals) != 0) return fail_errno("cannot seal shared memory");
  return {};
}

Result<void> expect_sealed(int fd, std::uint64_t bytes) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || !(seals & F_SEAL_SHRINK))
    return fail(EPROTO, "shared memory that was received could shrink");
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fail_errno("cannot look at shared memory that was received");
  if (status.st_size < 0 || std::uint64_t(status.st_size) < bytes)
    return fail(EPROTO, "shared memory that was received has " + std::to_string(status.st_size) +
                            " bytes instead of " + std::to_string(bytes));
  return {};
}

}  // namespace pwalk::ipc
