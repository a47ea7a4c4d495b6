#include "sys/calls.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "pwalk/base/unique_fd.h"
#include "statx_uring.h"
#include "sys/raw_syscall.h"

namespace pwalk::sys {
namespace {

template <class Number>
Number or_errno(Number result) {
  return result < 0 ? static_cast<Number>(-errno) : result;
}

constexpr unsigned kMostCpus = 1u << 16;

struct CpuSetFree {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};

std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::uint64_t(now.tv_sec) * 1'000'000'000 + std::uint64_t(now.tv_nsec);
}

}  // namespace

int Calls::open_once(const char* path, int flags) const { return or_errno(::open(path, flags)); }

int Calls::openat_once(int directory, const char* name, int flags) const {
  return or_errno(::openat(directory, name, flags));
}

// Not readdir(3): one copy less, and a buffer of our choice.
long Calls::getdents_once(int directory, std::span<std::byte> buffer) const {
  return or_errno(::syscall(SYS_getdents64, directory, buffer.data(), buffer.size()));
}

// Not glibc's statx(), which imitates a missing call and hides that columns are missing too.
int Calls::statx_once(int directory, const char* name, int flags, unsigned mask, struct ::statx& out) const {
  return int(raw_syscall(SYS_statx, long(directory), reinterpret_cast<long>(name), long(flags), long(mask),
                         reinterpret_cast<long>(&out)));
}

int Calls::fstatat_once(int directory, const char* name, int flags, struct ::stat& out) const {
  return or_errno(::fstatat(directory, name, &out, flags));
}

int Calls::seek_once(int directory, std::int64_t position) const {
  return ::lseek(directory, position, SEEK_SET) < 0 ? -errno : 0;
}

int Calls::replace_once(int from, int onto) const { return or_errno(::dup3(from, onto, O_CLOEXEC)); }

long Calls::readlinkat_once(int directory, const char* name, std::span<char> text) const {
  return or_errno(::readlinkat(directory, name, text.data(), text.size()));
}

long Calls::lgetxattr_once(const char* path, const char* attribute, std::span<std::byte> value) const {
  return or_errno(::lgetxattr(path, attribute, value.data(), value.size()));
}

int Calls::ioctl_once(int fd, unsigned long request, void* answer) const {
  return or_errno(::ioctl(fd, request, answer));
}

int Calls::project_by_name_once(int directory, const char* name, std::uint32_t& project) const {
  constexpr long kFileGetattr = 468;  // the same everywhere but on Alpha; glibc does not know it yet
  struct {
    std::uint64_t flags;
    std::uint32_t extent_size, extents, project, cow_extent_size;
  } answer{};
  const long result = ::syscall(kFileGetattr, directory, name, &answer, sizeof answer, AT_SYMLINK_NOFOLLOW);
  if (result >= 0) project = answer.project;
  return int(or_errno(result));
}

int Calls::project_of_once(int fd, std::uint32_t& project) const {
  fsxattr answer{};
  const int result = or_errno(::ioctl(fd, FS_IOC_FSGETXATTR, &answer));
  if (result >= 0) project = answer.fsx_projid;
  return result;
}

void Calls::close(int fd) const { ::close(fd); }

::DIR* Calls::open_stream(int directory, int& error) const {
  UniqueFd duplicate(::fcntl(directory, F_DUPFD_CLOEXEC, 0));
  ::DIR* stream = duplicate ? ::fdopendir(duplicate.get()) : nullptr;
  error = stream ? 0 : errno;
  if (stream) duplicate.release();
  return stream;
}

const ::dirent* Calls::read_stream(::DIR* stream, int& error) const {
  errno = 0;
  const ::dirent* entry = ::readdir(stream);
  error = entry ? 0 : errno;
  return entry;
}

void Calls::close_stream(::DIR* stream) const { ::closedir(stream); }

Result<std::string> Calls::current_directory() const {
  std::string path(256, '\0');
  while (!::getcwd(path.data(), path.size())) {
    if (errno != ERANGE) return fail_errno("cannot tell the working directory");
    path.resize(path.size() * 2);
  }
  path.resize(path.find('\0'));
  return path;
}

Result<std::string> Calls::read_file(const std::string& path) const {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno("cannot open '" + path + "'");
  std::string text;
  char block[16384];
  for (;;) {
    const ssize_t got = ::read(file.get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("cannot read '" + path + "'");
    if (got == 0) return text;
    text.append(block, std::size_t(got));
  }
}

std::uint64_t Calls::filesystem_magic(int fd) const {
  struct statfs facts {};
  return ::fstatfs(fd, &facts) == 0 ? std::uint32_t(facts.f_type) : 0;
}

std::uint64_t Calls::filesystem_magic(const char* path) const {
  struct statfs facts {};
  return ::statfs(path, &facts) == 0 ? std::uint32_t(facts.f_type) : 0;
}

DescriptorLimit Calls::descriptor_limit() const {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {1024, 1024};
  return {limit.rlim_cur, limit.rlim_max};
}

void Calls::raise_descriptor_limit(std::uint64_t soft) const {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= soft) return;
  limit.rlim_cur = std::min<rlim_t>(soft, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

unsigned Calls::usable_cpus() const {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1u, unsigned(CPU_COUNT(&set)));
  return std::max(1u, std::thread::hardware_concurrency());  // more CPUs than cpu_set_t holds
}

std::vector<unsigned> Calls::usable_cpu_list() const {
  std::vector<unsigned> cpus;
  for (unsigned room = 1024; room <= kMostCpus; room *= 4) {
    const std::unique_ptr<cpu_set_t, CpuSetFree> set(CPU_ALLOC(room));
    const std::size_t bytes = CPU_ALLOC_SIZE(room);
    if (!set) return cpus;
    if (::sched_getaffinity(0, bytes, set.get()) != 0) continue;  // EINVAL: more CPUs than there is room for
    for (unsigned cpu = 0; cpu < room; ++cpu)
      if (CPU_ISSET_S(cpu, bytes, set.get())) cpus.push_back(cpu);
    return cpus;
  }
  return cpus;
}

int Calls::keep_on(std::span<const unsigned> cpus) const {
  const unsigned room = cpus.empty() ? 1 : *std::max_element(cpus.begin(), cpus.end()) + 1;
  const std::unique_ptr<cpu_set_t, CpuSetFree> set(CPU_ALLOC(room));
  const std::size_t bytes = CPU_ALLOC_SIZE(room);
  if (!set) return -ENOMEM;
  CPU_ZERO_S(bytes, set.get());
  for (const unsigned cpu : cpus) CPU_SET_S(cpu, bytes, set.get());
  return ::sched_setaffinity(0, bytes, set.get()) == 0 ? 0 : -errno;
}

Result<void> Calls::try_uring() const {
  auto ring = StatxUring::create({}, nullptr);
  if (!ring) return tl::unexpected(ring.error());
  return {};
}

std::uint64_t Calls::monotonic_ns() const { return clock_ns(CLOCK_MONOTONIC); }
std::uint64_t Calls::coarse_ns() const { return clock_ns(CLOCK_MONOTONIC_COARSE); }

std::uint64_t Calls::voluntary_switches() const {
  rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? std::uint64_t(usage.ru_nvcsw) : 0;
}

void Calls::sleep(std::chrono::nanoseconds span) const { std::this_thread::sleep_for(span); }

const Calls& real_calls() {
  static const Calls calls;
  return calls;
}

}  // namespace pwalk::sys
