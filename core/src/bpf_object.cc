#include "bpf_object.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>

namespace pwalk::bpf {

Result<ProcessIdentity> this_process() {
  struct stat status {};
  if (stat("/proc/self/ns/pid", &status) != 0) return fail_errno("cannot stat '/proc/self/ns/pid'");
  // MKDEV of include/linux/kdev_t.h: 12 bits of major, 20 of minor; user space packs them otherwise.
  const std::uint64_t device = std::uint64_t{major(status.st_dev)} << 20 | minor(status.st_dev);
  return ProcessIdentity{device, status.st_ino, std::uint32_t(getpid())};
}

void silence_libbpf() {
  libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });
}

tl::unexpected<Error> refusal(const std::string& subject, const std::string& step, int negative_errno) {
  const int error = std::abs(negative_errno);
  std::string what = subject + ": " + step;
  if (error == EPERM || error == EACCES)
    what += " (it takes CAP_BPF and CAP_PERFMON, and a kernel that allows this kind)";
  if (error == ESRCH || error == ENOENT)
    what += " (the running kernel lacks what it attaches to, or its type information)";
  return fail(error, std::move(what));
}

}  // namespace pwalk::bpf
