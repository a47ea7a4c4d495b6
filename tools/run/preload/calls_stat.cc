// stat, access and statfs in all their spellings.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "run/preload/entry_facts.h"
#include "run/preload/path_lookup.h"

using namespace pwalk::run;

static_assert(sizeof(struct stat) == sizeof(struct stat64), "one layout for both");
static_assert(sizeof(struct statfs) == sizeof(struct statfs64));
static_assert(sizeof(struct statvfs) == sizeof(struct statvfs64));

// What glibc's headers no longer declare but older programs call.
extern "C" {
int __xstat(int version, const char* path, struct stat* facts);
int __lxstat(int version, const char* path, struct stat* facts);
int __fxstat(int version, int fd, struct stat* facts);
int __fxstatat(int version, int directory, const char* path, struct stat* facts, int flags);
int __xstat64(int version, const char* path, struct stat64* facts);
int __lxstat64(int version, const char* path, struct stat64* facts);
int __fxstat64(int version, int fd, struct stat64* facts);
int __fxstatat64(int version, int directory, const char* path, struct stat64* facts, int flags);
}

namespace {

struct stat& plain(void* facts) { return *static_cast<struct stat*>(facts); }

/// stat by path; `real(directory, path)` is libc's.
template <class Real>
int stat_path(int directory, const char* path, void* facts, LookUp how, Real real) {
  Call call;
  const Located where = locate(call, directory, path, how);
  if (!where.inside) return call.pass(real, where.directory, where.path);
  return call.end(where.error ? where.error : fill(where.entry, plain(facts)));
}

template <class Real>
int stat_descriptor(int fd, void* facts, Real real) {
  Call call;
  const Located where = locate(call, fd, "", {.empty_ok = true});
  if (!where.inside || fd < 0) return call.pass(real);
  return call.end(fill(where.entry, plain(facts)));
}

LookUp look_up(int flags) { return {.follow = !(flags & AT_SYMLINK_NOFOLLOW), .empty_ok = bool(flags & AT_EMPTY_PATH)}; }

constexpr LookUp kLink{.follow = false};

template <class Facts, class Real>
int statfs_path(const char* path, Facts* facts, Real real) {
  Call call;
  const Located where = locate(call, AT_FDCWD, path);
  if (!where.inside) return call.pass(real, where.path, facts);
  if (where.error) return call.fail(where.error);
  fill(*call.tree(), *facts);
  return 0;
}

template <class Facts, class Real>
int statfs_descriptor(int fd, Facts* facts, Real real) {
  Call call;
  if (fd < 0 || !locate(call, fd, "", {.empty_ok = true}).inside) return call.pass(real, fd, facts);
  fill(*call.tree(), *facts);
  return 0;
}

template <class Real>
int access_path(int directory, const char* path, int wanted, LookUp how, bool effective, Real real) {
  Call call;
  const Located where = locate(call, directory, path, how);
  if (!where.inside) return call.pass(real, where.directory, where.path);
  return call.end(where.error ? where.error : check_access(where.entry, wanted, effective));
}

long limit_of(int name) {
  switch (name) {
    case _PC_LINK_MAX: return 127;
    case _PC_NAME_MAX: return 255;
    case _PC_PATH_MAX: return 4096;
    case _PC_NO_TRUNC: return 1;
    case _PC_FILESIZEBITS: return 64;
    case _PC_CHOWN_RESTRICTED: return 1;
    default: return -1;  // no limit, errno as it was
  }
}

}  // namespace

PWALK_TAKES int stat(const char* path, struct stat* facts) {
  return stat_path(AT_FDCWD, path, facts, {}, [=](int, const char* real) { return PWALK_REAL(stat)(real, facts); });
}
PWALK_TAKES int stat64(const char* path, struct stat64* facts) {
  return stat_path(AT_FDCWD, path, facts, {}, [=](int, const char* real) { return PWALK_REAL(stat64)(real, facts); });
}
PWALK_TAKES int lstat(const char* path, struct stat* facts) {
  return stat_path(AT_FDCWD, path, facts, kLink, [=](int, const char* real) { return PWALK_REAL(lstat)(real, facts); });
}
PWALK_TAKES int lstat64(const char* path, struct stat64* facts) {
  return stat_path(AT_FDCWD, path, facts, kLink, [=](int, const char* real) { return PWALK_REAL(lstat64)(real, facts); });
}
PWALK_TAKES int fstat(int fd, struct stat* facts) {
  return stat_descriptor(fd, facts, [=] { return PWALK_REAL(fstat)(fd, facts); });
}
PWALK_TAKES int fstat64(int fd, struct stat64* facts) {
  return stat_descriptor(fd, facts, [=] { return PWALK_REAL(fstat64)(fd, facts); });
}
PWALK_TAKES int fstatat(int directory, const char* path, struct stat* facts, int flags) {
  return stat_path(directory, path, facts, look_up(flags),
                   [=](int at, const char* real) { return PWALK_REAL(fstatat)(at, real, facts, flags); });
}
PWALK_TAKES int fstatat64(int directory, const char* path, struct stat64* facts, int flags) {
  return stat_path(directory, path, facts, look_up(flags),
                   [=](int at, const char* real) { return PWALK_REAL(fstatat64)(at, real, facts, flags); });
}
PWALK_TAKES int __xstat(int version, const char* path, struct stat* facts) {
  return stat_path(AT_FDCWD, path, facts, {}, [=](int, const char* real) { return PWALK_REAL(__xstat)(version, real, facts); });
}
PWALK_TAKES int __xstat64(int version, const char* path, struct stat64* facts) {
  return stat_path(AT_FDCWD, path, facts, {}, [=](int, const char* real) { return PWALK_REAL(__xstat64)(version, real, facts); });
}
PWALK_TAKES int __lxstat(int version, const char* path, struct stat* facts) {
  return stat_path(AT_FDCWD, path, facts, kLink, [=](int, const char* real) { return PWALK_REAL(__lxstat)(version, real, facts); });
}
PWALK_TAKES int __lxstat64(int version, const char* path, struct stat64* facts) {
  return stat_path(AT_FDCWD, path, facts, kLink, [=](int, const char* real) { return PWALK_REAL(__lxstat64)(version, real, facts); });
}
PWALK_TAKES int __fxstat(int version, int fd, struct stat* facts) {
  return stat_descriptor(fd, facts, [=] { return PWALK_REAL(__fxstat)(version, fd, facts); });
}
PWALK_TAKES int __fxstat64(int version, int fd, struct stat64* facts) {
  return stat_descriptor(fd, facts, [=] { return PWALK_REAL(__fxstat64)(version, fd, facts); });
}
PWALK_TAKES int __fxstatat(int version, int directory, const char* path, struct stat* facts, int flags) {
  return stat_path(directory, path, facts, look_up(flags),
                   [=](int at, const char* real) { return PWALK_REAL(__fxstatat)(version, at, real, facts, flags); });
}
PWALK_TAKES int __fxstatat64(int version, int directory, const char* path, struct stat64* facts, int flags) {
  return stat_path(directory, path, facts, look_up(flags),
                   [=](int at, const char* real) { return PWALK_REAL(__fxstatat64)(version, at, real, facts, flags); });
}

PWALK_TAKES int statx(int directory, const char* path, int flags, unsigned mask, struct statx* facts) {
  Call call;
  const Located where = locate(call, directory, path, look_up(flags));
  if (!where.inside) return call.pass(PWALK_REAL(statx), where.directory, where.path, flags, mask, facts);
  return call.end(where.error ? where.error : fill(where.entry, *facts));
}

PWALK_TAKES int statfs(const char* path, struct statfs* facts) { return statfs_path(path, facts, PWALK_REAL(statfs)); }
PWALK_TAKES int statfs64(const char* path, struct statfs64* facts) {
  return statfs_path(path, reinterpret_cast<struct statfs*>(facts), PWALK_REAL(statfs));
}
PWALK_TAKES int fstatfs(int fd, struct statfs* facts) { return statfs_descriptor(fd, facts, PWALK_REAL(fstatfs)); }
PWALK_TAKES int fstatfs64(int fd, struct statfs64* facts) {
  return statfs_descriptor(fd, reinterpret_cast<struct statfs*>(facts), PWALK_REAL(fstatfs));
}
PWALK_TAKES int statvfs(const char* path, struct statvfs* facts) { return statfs_path(path, facts, PWALK_REAL(statvfs)); }
PWALK_TAKES int statvfs64(const char* path, struct statvfs64* facts) {
  return statfs_path(path, reinterpret_cast<struct statvfs*>(facts), PWALK_REAL(statvfs));
}
PWALK_TAKES int fstatvfs(int fd, struct statvfs* facts) { return statfs_descriptor(fd, facts, PWALK_REAL(fstatvfs)); }
PWALK_TAKES int fstatvfs64(int fd, struct statvfs64* facts) {
  return statfs_descriptor(fd, reinterpret_cast<struct statvfs*>(facts), PWALK_REAL(fstatvfs));
}

PWALK_TAKES int access(const char* path, int wanted) {
  return access_path(AT_FDCWD, path, wanted, {}, false, [=](int, const char* real) { return PWALK_REAL(access)(real, wanted); });
}
PWALK_TAKES int euidaccess(const char* path, int wanted) {
  return access_path(AT_FDCWD, path, wanted, {}, true, [=](int, const char* real) { return PWALK_REAL(euidaccess)(real, wanted); });
}
PWALK_TAKES int eaccess(const char* path, int wanted) {
  return access_path(AT_FDCWD, path, wanted, {}, true, [=](int, const char* real) { return PWALK_REAL(eaccess)(real, wanted); });
}
PWALK_TAKES int faccessat(int directory, const char* path, int wanted, int flags) {
  return access_path(directory, path, wanted, look_up(flags), bool(flags & AT_EACCESS),
                     [=](int at, const char* real) { return PWALK_REAL(faccessat)(at, real, wanted, flags); });
}

PWALK_TAKES long pathconf(const char* path, int name) {
  Call call;
  const Located where = locate(call, AT_FDCWD, path);
  if (!where.inside) return call.pass(PWALK_REAL(pathconf), where.path, name);
  return where.error ? call.fail(where.error) : limit_of(name);
}
PWALK_TAKES long fpathconf(int fd, int name) {
  Call call;
  if (fd < 0 || !locate(call, fd, "", {.empty_ok = true}).inside) return call.pass(PWALK_REAL(fpathconf), fd, name);
  return limit_of(name);
}
