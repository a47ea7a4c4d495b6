// syscall(2), and io_uring, by which programs pass libc's functions by.
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run/preload/path_lookup.h"
#include "run/preload/raw_calls.h"

using namespace pwalk::run;

namespace {

long open_by_how(int directory, const char* path, const struct open_how* how, size_t size) {
  Call call;
  const Located where = locate(call, directory, path);
  if (!where.inside) return call.pass(PWALK_REAL(syscall), long(SYS_openat2), directory, where.path, how, size);
  const int flags = int(how->flags);
  return call.pass([=] { return ::openat(directory, path, flags, mode_t(how->mode)); });
}

}  // namespace

/// The calls for which programs use syscall(2) because an older libc lacks a function.
PWALK_TAKES long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long word[6];
  for (long& one : word) one = va_arg(list, long);
  va_end(list);
  const auto path = [&](int at) { return reinterpret_cast<const char*>(word[at]); };
  const auto memory = [&](int at) { return reinterpret_cast<void*>(word[at]); };
  switch (number) {
    case SYS_openat: return ::openat(int(word[0]), path(1), int(word[2]), mode_t(word[3]));
    case SYS_openat2: return open_by_how(int(word[0]), path(1), static_cast<struct open_how*>(memory(2)), size_t(word[3]));
    case SYS_close: return ::close(int(word[0]));
    case SYS_getdents64: return ::getdents64(int(word[0]), memory(1), size_t(word[2]));
    case SYS_statx: return ::statx(int(word[0]), path(1), int(word[2]), unsigned(word[3]), static_cast<struct statx*>(memory(4)));
    case SYS_newfstatat: return ::fstatat(int(word[0]), path(1), static_cast<struct stat*>(memory(2)), int(word[3]));
    case SYS_faccessat: return ::faccessat(int(word[0]), path(1), int(word[2]), 0);
    case SYS_faccessat2: return ::faccessat(int(word[0]), path(1), int(word[2]), int(word[3]));
    case SYS_readlinkat: return ::readlinkat(int(word[0]), path(1), static_cast<char*>(memory(2)), size_t(word[3]));
    case SYS_close_range: return ::close_range(unsigned(word[0]), unsigned(word[1]), int(word[2]));
    default: return PWALK_REAL(syscall)(number, word[0], word[1], word[2], word[3], word[4], word[5]);
  }
}

struct io_uring;

/// Requests in a ring never pass through here, so there are no rings; programs go on without.
PWALK_TAKES int io_uring_queue_init(unsigned entries, struct io_uring* ring, unsigned flags) {
  Call call;
  if (call.tree()) return -ENOSYS;
  using Function = int (*)(unsigned, struct io_uring*, unsigned);
  const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "io_uring_queue_init"));
  return real ? call.pass(real, entries, ring, flags) : -ENOSYS;
}
PWALK_TAKES int io_uring_queue_init_params(unsigned entries, struct io_uring* ring, void* parameters) {
  Call call;
  if (call.tree()) return -ENOSYS;
  using Function = int (*)(unsigned, struct io_uring*, void*);
  const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "io_uring_queue_init_params"));
  return real ? call.pass(real, entries, ring, parameters) : -ENOSYS;
}
