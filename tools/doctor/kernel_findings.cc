#include "doctor/kernel_findings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>
#include <cstring>

#include "pwalk/base/unique_fd.h"
#include "text/escape.h"
#include "text/figures.h"

namespace pwalk::tools {
namespace {

Finding kernel_release() {
  utsname names{};
  ::uname(&names);
  return {"kernel", escaped(names.release), ""};
}

Finding statx_call() {
  struct statx attributes {};
  const bool works = ::statx(AT_FDCWD, "/", AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_BTIME, &attributes) == 0;
  return {"statx", works ? "works" : std::strerror(errno), works ? "" : "fstatat is used; no btime, no mount_id"};
}

Finding openat2_call() {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const UniqueFd opened(int(::syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how)));
  return {"openat2", opened ? "works" : std::strerror(errno), opened ? "" : "openat is used"};
}

Finding io_uring(const SystemFiles& files) {
  io_uring_params parameters{};
  const UniqueFd ring(int(::syscall(SYS_io_uring_setup, 4, &parameters)));
  const int error = errno;
  const auto disabled = files.line("/proc/sys/kernel/io_uring_disabled");
  std::string value = ring ? "works" : std::strerror(error);
  if (disabled) value += ", kernel.io_uring_disabled=" + escaped(*disabled);
  return {"io_uring", value, ring ? "threads are used where they measure better" : "threads are used"};
}

Finding cpus(const SystemFiles& files) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  const int count = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
  const auto online = files.line("/sys/devices/system/node/online");
  const unsigned nodes = online ? count_in_list(*online) : 1;
  return {"CPUs", fmt::format("{} allowed, {} NUMA node{}", count, nodes, nodes == 1 ? "" : "s"), ""};
}

Finding ebpf(const SystemFiles& files) {
  const auto effective = files.value("/proc/self/status", "CapEff");
  const auto unprivileged = files.line("/proc/sys/kernel/unprivileged_bpf_disabled");
  const bool types = files.exists("/sys/kernel/btf/vmlinux");
  return {"eBPF",
          fmt::format("{}; BTF {}; unprivileged_bpf_disabled={}", bpf_capabilities(effective.value_or("")),
                      types ? "there" : "missing", escaped(unprivileged.value_or("unknown"))),
          "CAP_BPF and CAP_PERFMON are enough"};
}

std::string limit_text(rlim_t limit, bool bytes) {
  if (limit == RLIM_INFINITY) return "unlimited";
  return bytes ? byte_text(limit) : grouped(limit);
}

Finding limit(const char* subject, decltype(RLIMIT_NOFILE) resource, bool bytes, const char* remark) {
  rlimit both{};
  ::getrlimit(resource, &both);
  return {subject, fmt::format("{}, hard {}", limit_text(both.rlim_cur, bytes), limit_text(both.rlim_max, bytes)),
          remark};
}

}  // namespace

std::string bpf_capabilities(const std::string& effective_hex) {
  std::uint64_t mask = 0;
  std::from_chars(effective_hex.data(), effective_hex.data() + effective_hex.size(), mask, 16);
  std::string names;
  const auto name = [&](unsigned bit, const char* text) {
    if (mask >> bit & 1) names += (names.empty() ? "" : " ") + std::string(text);
  };
  name(21, "CAP_SYS_ADMIN");  // numbers of linux/capability.h
  name(38, "CAP_PERFMON");
  name(39, "CAP_BPF");
  return names.empty() ? "none of CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN" : names;
}

unsigned count_in_list(const std::string& list) {
  unsigned count = 0;
  const char *at = list.data(), *end = at + list.size();
  while (at < end) {
    unsigned from = 0, to = 0;
    auto parsed = std::from_chars(at, end, from);
    if (parsed.ec != std::errc{}) return 0;
    to = from;
    if (parsed.ptr < end && *parsed.ptr == '-') parsed = std::from_chars(parsed.ptr + 1, end, to);
    if (parsed.ec != std::errc{} || to < from) return 0;
    count += to - from + 1;
    at = parsed.ptr + (parsed.ptr < end && *parsed.ptr == ',' ? 1 : 0);
    if (at == parsed.ptr && at < end) return 0;
  }
  return count;
}

Findings kernel_findings(const SystemFiles& files) {
  return {kernel_release(),
          statx_call(),
          openat2_call(),
          io_uring(files),
          ebpf(files),
          cpus(files),
          limit("memlock", RLIMIT_MEMLOCK, true, "bounds io_uring and eBPF memory of ordinary users"),
          limit("open files", RLIMIT_NOFILE, false, "the walk keeps within it and reopens directories")};
}

}  // namespace pwalk::tools
