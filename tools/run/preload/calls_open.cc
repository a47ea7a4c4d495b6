// open, fopen, and what happens to descriptors afterwards.
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cstring>

#include "run/preload/scanned_open.h"

using namespace pwalk::run;

extern "C" {
int __open(const char* path, int flags, ...);
int __open64(const char* path, int flags, ...);
int __open_2(const char* path, int flags);
int __open64_2(const char* path, int flags);
int __openat_2(int directory, const char* path, int flags);
int __openat64_2(int directory, const char* path, int flags);
}

namespace {

template <class Real>
int open_path(int directory, const char* path, int flags, Real real) {
  Call call;
  const bool nofollow = flags & O_NOFOLLOW || (flags & O_CREAT && flags & O_EXCL);
  Located where = locate(call, directory, path, {.follow = !nofollow});
  if (where.inside) {
    const Opened opened = open_scanned(*call.tree(), where, flags);
    if (opened.error) return call.fail(opened.error);
    if (!opened.wants_real) return opened.fd;
    point_to_real(where);
  }
  return call.pass(real, where.directory, where.path);
}

/// The flags of fopen(3)'s mode, as far as they matter here.
int flags_of(const char* mode) {
  int flags = std::strchr(mode, '+') ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;
  if (*mode == 'w') flags |= O_CREAT | O_TRUNC;
  if (*mode == 'a') flags |= O_CREAT;
  return flags;
}

template <class Real>
FILE* open_stream(const char* path, const char* mode, Real real) {
  Call call;
  Located where = locate(call, AT_FDCWD, path);
  if (where.inside) {
    const bool readable_directory = where.is_directory() && flags_of(mode) == O_RDONLY;
    const Opened opened = readable_directory ? Opened{.error = EISDIR} : open_scanned(*call.tree(), where, flags_of(mode));
    if (opened.error) call.fail(opened.error);
    if (!opened.wants_real) return nullptr;
    point_to_real(where);
  }
  return call.pass(real, where.path);
}

}  // namespace

// Only the function itself can read its variable arguments.
#define PWALK_TAKES_OPEN(name)                                                                      \
  PWALK_TAKES int name(const char* path, int flags, ...) {                                          \
    mode_t mode = 0;                                                                                \
    if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {                                      \
      va_list rest;                                                                                 \
      va_start(rest, flags);                                                                        \
      mode = va_arg(rest, mode_t);                                                                  \
      va_end(rest);                                                                                 \
    }                                                                                               \
    return open_path(AT_FDCWD, path, flags, [=](int, const char* real) { return PWALK_REAL(name)(real, flags, mode); }); \
  }
#define PWALK_TAKES_OPENAT(name)                                                                    \
  PWALK_TAKES int name(int directory, const char* path, int flags, ...) {                           \
    mode_t mode = 0;                                                                                \
    if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {                                      \
      va_list rest;                                                                                 \
      va_start(rest, flags);                                                                        \
      mode = va_arg(rest, mode_t);                                                                  \
      va_end(rest);                                                                                 \
    }                                                                                               \
    return open_path(directory, path, flags, [=](int at, const char* real) { return PWALK_REAL(name)(at, real, flags, mode); }); \
  }

PWALK_TAKES_OPEN(open)
PWALK_TAKES_OPEN(open64)
PWALK_TAKES_OPEN(__open)
PWALK_TAKES_OPEN(__open64)
PWALK_TAKES_OPENAT(openat)
PWALK_TAKES_OPENAT(openat64)

PWALK_TAKES int __open_2(const char* path, int flags) {
  return open_path(AT_FDCWD, path, flags, [=](int, const char* real) { return PWALK_REAL(__open_2)(real, flags); });
}
PWALK_TAKES int __open64_2(const char* path, int flags) {
  return open_path(AT_FDCWD, path, flags, [=](int, const char* real) { return PWALK_REAL(__open64_2)(real, flags); });
}
PWALK_TAKES int __openat_2(int directory, const char* path, int flags) {
  return open_path(directory, path, flags, [=](int at, const char* real) { return PWALK_REAL(__openat_2)(at, real, flags); });
}
PWALK_TAKES int __openat64_2(int directory, const char* path, int flags) {
  return open_path(directory, path, flags, [=](int at, const char* real) { return PWALK_REAL(__openat64_2)(at, real, flags); });
}
PWALK_TAKES int creat(const char* path, mode_t mode) {
  return open_path(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, [=](int, const char* real) { return PWALK_REAL(creat)(real, mode); });
}
PWALK_TAKES int creat64(const char* path, mode_t mode) {
  return open_path(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, [=](int, const char* real) { return PWALK_REAL(creat64)(real, mode); });
}

PWALK_TAKES FILE* fopen(const char* path, const char* mode) {
  return open_stream(path, mode, [=](const char* real) { return PWALK_REAL(fopen)(real, mode); });
}
PWALK_TAKES FILE* fopen64(const char* path, const char* mode) {
  return open_stream(path, mode, [=](const char* real) { return PWALK_REAL(fopen64)(real, mode); });
}
PWALK_TAKES FILE* freopen(const char* path, const char* mode, FILE* stream) {
  return open_stream(path, mode, [=](const char* real) { return PWALK_REAL(freopen)(real, mode, stream); });
}
PWALK_TAKES FILE* freopen64(const char* path, const char* mode, FILE* stream) {
  return open_stream(path, mode, [=](const char* real) { return PWALK_REAL(freopen64)(real, mode, stream); });
}

PWALK_TAKES int close(int fd) {
  Call call;
  if (call.tree()) descriptors().forget(fd);
  return call.pass(PWALK_REAL(close), fd);
}
PWALK_TAKES int close_range(unsigned first, unsigned last, int flags) {
  Call call;
  if (call.tree() && flags == 0) descriptors().forget_range(first, last);
  return call.pass(PWALK_REAL(close_range), first, last, flags);
}
PWALK_TAKES void closefrom(int lowest) {
  Call call;
  if (call.tree() && lowest >= 0) descriptors().forget_range(unsigned(lowest), ~0u);
  call.pass(PWALK_REAL(closefrom), lowest);
}

PWALK_TAKES int dup(int fd) {
  const int made = PWALK_REAL(dup)(fd);
  Call call;
  if (made >= 0 && call.tree()) descriptors().duplicated(fd, made);
  return made;
}
PWALK_TAKES int dup2(int fd, int onto) {
  const int made = PWALK_REAL(dup2)(fd, onto);
  Call call;
  if (made >= 0 && call.tree()) descriptors().duplicated(fd, made);
  return made;
}
PWALK_TAKES int dup3(int fd, int onto, int flags) {
  const int made = PWALK_REAL(dup3)(fd, onto, flags);
  Call call;
  if (made >= 0 && call.tree()) descriptors().duplicated(fd, made);
  return made;
}

// The argument is passed on as the widest thing it can be: kernel and libc read as much of it as the command has.
#define PWALK_TAKES_FCNTL(name)                                                              \
  PWALK_TAKES int name(int fd, int command, ...) {                                           \
    va_list rest;                                                                            \
    va_start(rest, command);                                                                 \
    void* argument = va_arg(rest, void*);                                                    \
    va_end(rest);                                                                            \
    const int result = PWALK_REAL(name)(fd, command, argument);                              \
    Call call;                                                                               \
    if (result >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC) && call.tree())    \
      descriptors().duplicated(fd, result);                                                  \
    return result;                                                                           \
  }
PWALK_TAKES_FCNTL(fcntl)
PWALK_TAKES_FCNTL(fcntl64)
