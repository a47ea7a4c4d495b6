// Everything that would change the tree: it is read-only.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include "run/preload/path_lookup.h"

using namespace pwalk::run;

namespace {

constexpr LookUp kLink{.follow = false};

/// What the kernel says on a read-only file system.
int refusal(const Located& where) { return where.error && where.error != ENOENT ? where.error : EROFS; }

/// A call that changes what is at a path: `real(directory, path)` is libc's.
template <class Real>
int change(int directory, const char* path, LookUp how, Real real, int error = 0) {
  Call call;
  const Located where = locate(call, directory, path, how);
  if (!where.inside) return int(call.pass(real, where.directory, where.path));
  return call.fail(error ? error : refusal(where));
}

/// A call that makes a name.
template <class Real>
int make(int directory, const char* path, Real real) {
  Call call;
  const Located where = locate(call, directory, path, kLink);
  if (!where.inside) return call.pass(real, where.directory, where.path);
  return call.fail(where.error == 0 ? EEXIST : refusal(where));
}

/// A call with two names.
template <class Real>
int change_both(int from, const char* old_path, int to, const char* new_path, Real real) {
  Call call;
  const Located source = locate(call, from, old_path, kLink), target = locate(call, to, new_path, kLink);
  if (!source.inside && !target.inside) return call.pass(real, source.directory, source.path, target.directory, target.path);
  if (source.inside && source.error) return call.fail(source.error);
  return call.fail(source.inside && target.inside ? EROFS : EXDEV);
}

template <class Real>
int change_descriptor(int fd, Real real, int error = EROFS) {
  Call call;
  if (fd < 0 || !locate(call, fd, "", {.empty_ok = true}).inside) return int(call.pass(real));
  return call.fail(error);
}

/// mkstemp(3) and its like: the pattern's directory decides.
template <class Real>
auto make_temporary(char* pattern, Real real) {
  Call call;
  const Located where = locate(call, AT_FDCWD, pattern, kLink);
  if (!where.inside) return call.pass(real);
  call.fail(refusal(where));
  return decltype(real())(-1);
}

}  // namespace

PWALK_TAKES int mkdir(const char* path, mode_t mode) {
  return make(AT_FDCWD, path, [=](int, const char* real) { return PWALK_REAL(mkdir)(real, mode); });
}
PWALK_TAKES int mkdirat(int directory, const char* path, mode_t mode) {
  return make(directory, path, [=](int at, const char* real) { return PWALK_REAL(mkdirat)(at, real, mode); });
}
PWALK_TAKES int mkfifo(const char* path, mode_t mode) {
  return make(AT_FDCWD, path, [=](int, const char* real) { return PWALK_REAL(mkfifo)(real, mode); });
}
PWALK_TAKES int mkfifoat(int directory, const char* path, mode_t mode) {
  return make(directory, path, [=](int at, const char* real) { return PWALK_REAL(mkfifoat)(at, real, mode); });
}
PWALK_TAKES int mknod(const char* path, mode_t mode, dev_t device) {
  return make(AT_FDCWD, path, [=](int, const char* real) { return PWALK_REAL(mknod)(real, mode, device); });
}
PWALK_TAKES int mknodat(int directory, const char* path, mode_t mode, dev_t device) {
  return make(directory, path, [=](int at, const char* real) { return PWALK_REAL(mknodat)(at, real, mode, device); });
}
PWALK_TAKES int symlink(const char* target, const char* path) {
  return make(AT_FDCWD, path, [=](int, const char* real) { return PWALK_REAL(symlink)(target, real); });
}
PWALK_TAKES int symlinkat(const char* target, int directory, const char* path) {
  return make(directory, path, [=](int at, const char* real) { return PWALK_REAL(symlinkat)(target, at, real); });
}
PWALK_TAKES int mkstemp(char* pattern) { return make_temporary(pattern, [=] { return PWALK_REAL(mkstemp)(pattern); }); }
PWALK_TAKES int mkstemp64(char* pattern) { return make_temporary(pattern, [=] { return PWALK_REAL(mkstemp64)(pattern); }); }
PWALK_TAKES int mkostemp(char* pattern, int flags) {
  return make_temporary(pattern, [=] { return PWALK_REAL(mkostemp)(pattern, flags); });
}
PWALK_TAKES int mkostemp64(char* pattern, int flags) {
  return make_temporary(pattern, [=] { return PWALK_REAL(mkostemp64)(pattern, flags); });
}
PWALK_TAKES int mkstemps(char* pattern, int suffix) {
  return make_temporary(pattern, [=] { return PWALK_REAL(mkstemps)(pattern, suffix); });
}
PWALK_TAKES int mkostemps(char* pattern, int suffix, int flags) {
  return make_temporary(pattern, [=] { return PWALK_REAL(mkostemps)(pattern, suffix, flags); });
}
PWALK_TAKES char* mkdtemp(char* pattern) {
  Call call;
  const Located where = locate(call, AT_FDCWD, pattern, kLink);
  if (!where.inside) return call.pass(PWALK_REAL(mkdtemp), pattern);
  return call.fail(refusal(where)), nullptr;
}

PWALK_TAKES int unlink(const char* path) {
  return change(AT_FDCWD, path, kLink, [](int, const char* real) { return PWALK_REAL(unlink)(real); });
}
PWALK_TAKES int unlinkat(int directory, const char* path, int flags) {
  return change(directory, path, kLink, [=](int at, const char* real) { return PWALK_REAL(unlinkat)(at, real, flags); });
}
PWALK_TAKES int rmdir(const char* path) {
  return change(AT_FDCWD, path, kLink, [](int, const char* real) { return PWALK_REAL(rmdir)(real); });
}
PWALK_TAKES int remove(const char* path) {
  return change(AT_FDCWD, path, kLink, [](int, const char* real) { return PWALK_REAL(remove)(real); });
}

PWALK_TAKES int rename(const char* from, const char* to) {
  return change_both(AT_FDCWD, from, AT_FDCWD, to, [](int, const char* a, int, const char* b) { return PWALK_REAL(rename)(a, b); });
}
PWALK_TAKES int renameat(int from_at, const char* from, int to_at, const char* to) {
  return change_both(from_at, from, to_at, to,
                     [](int at, const char* a, int to_there, const char* b) { return PWALK_REAL(renameat)(at, a, to_there, b); });
}
PWALK_TAKES int renameat2(int from_at, const char* from, int to_at, const char* to, unsigned flags) {
  return change_both(from_at, from, to_at, to, [=](int at, const char* a, int to_there, const char* b) {
    return PWALK_REAL(renameat2)(at, a, to_there, b, flags);
  });
}
PWALK_TAKES int link(const char* from, const char* to) {
  return change_both(AT_FDCWD, from, AT_FDCWD, to, [](int, const char* a, int, const char* b) { return PWALK_REAL(link)(a, b); });
}
PWALK_TAKES int linkat(int from_at, const char* from, int to_at, const char* to, int flags) {
  return change_both(from_at, from, to_at, to, [=](int at, const char* a, int to_there, const char* b) {
    return PWALK_REAL(linkat)(at, a, to_there, b, flags);
  });
}

PWALK_TAKES int chmod(const char* path, mode_t mode) {
  return change(AT_FDCWD, path, {}, [=](int, const char* real) { return PWALK_REAL(chmod)(real, mode); });
}
PWALK_TAKES int lchmod(const char* path, mode_t mode) {
  return change(AT_FDCWD, path, kLink, [=](int, const char* real) { return PWALK_REAL(lchmod)(real, mode); });
}
PWALK_TAKES int fchmodat(int directory, const char* path, mode_t mode, int flags) {
  return change(directory, path, {}, [=](int at, const char* real) { return PWALK_REAL(fchmodat)(at, real, mode, flags); });
}
PWALK_TAKES int fchmod(int fd, mode_t mode) {
  return change_descriptor(fd, [=] { return PWALK_REAL(fchmod)(fd, mode); });
}
PWALK_TAKES int chown(const char* path, uid_t user, gid_t group) {
  return change(AT_FDCWD, path, {}, [=](int, const char* real) { return PWALK_REAL(chown)(real, user, group); });
}
PWALK_TAKES int lchown(const char* path, uid_t user, gid_t group) {
  return change(AT_FDCWD, path, kLink, [=](int, const char* real) { return PWALK_REAL(lchown)(real, user, group); });
}
PWALK_TAKES int fchownat(int directory, const char* path, uid_t user, gid_t group, int flags) {
  const LookUp how{.follow = !(flags & AT_SYMLINK_NOFOLLOW), .empty_ok = bool(flags & AT_EMPTY_PATH)};
  return change(directory, path, how, [=](int at, const char* real) { return PWALK_REAL(fchownat)(at, real, user, group, flags); });
}
PWALK_TAKES int fchown(int fd, uid_t user, gid_t group) {
  return change_descriptor(fd, [=] { return PWALK_REAL(fchown)(fd, user, group); });
}
PWALK_TAKES int truncate(const char* path, off_t length) {
  return change(AT_FDCWD, path, {}, [=](int, const char* real) { return PWALK_REAL(truncate)(real, length); });
}
PWALK_TAKES int truncate64(const char* path, off64_t length) {
  return change(AT_FDCWD, path, {}, [=](int, const char* real) { return PWALK_REAL(truncate64)(real, length); });
}

PWALK_TAKES int utime(const char* path, const struct utimbuf* times) {
  return change(AT_FDCWD, path, {}, [=](int, const char* real) { return PWALK_REAL(utime)(real, times); });
}
PWALK_TAKES int utimes(const char* path, const struct timeval times[2]) {
  return change(AT_FDCWD, path, {}, [=](int, const char* real) { return PWALK_REAL(utimes)(real, times); });
}
PWALK_TAKES int lutimes(const char* path, const struct timeval times[2]) {
  return change(AT_FDCWD, path, kLink, [=](int, const char* real) { return PWALK_REAL(lutimes)(real, times); });
}
PWALK_TAKES int futimesat(int directory, const char* path, const struct timeval times[2]) {
  return change(directory, path, {}, [=](int at, const char* real) { return PWALK_REAL(futimesat)(at, real, times); });
}
PWALK_TAKES int utimensat(int directory, const char* path, const struct timespec times[2], int flags) {
  if (!path) return change_descriptor(directory, [=] { return PWALK_REAL(utimensat)(directory, nullptr, times, flags); });
  return change(directory, path, {.follow = !(flags & AT_SYMLINK_NOFOLLOW)},
                [=](int at, const char* real) { return PWALK_REAL(utimensat)(at, real, times, flags); });
}
PWALK_TAKES int futimens(int fd, const struct timespec times[2]) {
  return change_descriptor(fd, [=] { return PWALK_REAL(futimens)(fd, times); });
}
PWALK_TAKES int futimes(int fd, const struct timeval times[2]) {
  return change_descriptor(fd, [=] { return PWALK_REAL(futimes)(fd, times); });
}

PWALK_TAKES int setxattr(const char* path, const char* name, const void* value, size_t size, int flags) {
  return change(AT_FDCWD, path, {}, [=](int, const char* real) { return PWALK_REAL(setxattr)(real, name, value, size, flags); });
}
PWALK_TAKES int lsetxattr(const char* path, const char* name, const void* value, size_t size, int flags) {
  return change(AT_FDCWD, path, kLink, [=](int, const char* real) { return PWALK_REAL(lsetxattr)(real, name, value, size, flags); });
}
PWALK_TAKES int fsetxattr(int fd, const char* name, const void* value, size_t size, int flags) {
  return change_descriptor(fd, [=] { return PWALK_REAL(fsetxattr)(fd, name, value, size, flags); });
}
PWALK_TAKES int removexattr(const char* path, const char* name) {
  return change(AT_FDCWD, path, {}, [=](int, const char* real) { return PWALK_REAL(removexattr)(real, name); });
}
PWALK_TAKES int lremovexattr(const char* path, const char* name) {
  return change(AT_FDCWD, path, kLink, [=](int, const char* real) { return PWALK_REAL(lremovexattr)(real, name); });
}
PWALK_TAKES int fremovexattr(int fd, const char* name) {
  return change_descriptor(fd, [=] { return PWALK_REAL(fremovexattr)(fd, name); });
}

// Reading attributes: an image has none.
PWALK_TAKES ssize_t getxattr(const char* path, const char* name, void* value, size_t size) {
  return change(AT_FDCWD, path, {}, [=](int, const char* real) { return PWALK_REAL(getxattr)(real, name, value, size); }, EOPNOTSUPP);
}
PWALK_TAKES ssize_t lgetxattr(const char* path, const char* name, void* value, size_t size) {
  return change(AT_FDCWD, path, kLink, [=](int, const char* real) { return PWALK_REAL(lgetxattr)(real, name, value, size); }, EOPNOTSUPP);
}
PWALK_TAKES ssize_t fgetxattr(int fd, const char* name, void* value, size_t size) {
  return change_descriptor(fd, [=] { return PWALK_REAL(fgetxattr)(fd, name, value, size); }, EOPNOTSUPP);
}
PWALK_TAKES ssize_t listxattr(const char* path, char* list, size_t size) {
  return change(AT_FDCWD, path, {}, [=](int, const char* real) { return PWALK_REAL(listxattr)(real, list, size); }, EOPNOTSUPP);
}
PWALK_TAKES ssize_t llistxattr(const char* path, char* list, size_t size) {
  return change(AT_FDCWD, path, kLink, [=](int, const char* real) { return PWALK_REAL(llistxattr)(real, list, size); }, EOPNOTSUPP);
}
PWALK_TAKES ssize_t flistxattr(int fd, char* list, size_t size) {
  return change_descriptor(fd, [=] { return PWALK_REAL(flistxattr)(fd, list, size); }, EOPNOTSUPP);
}

// Nothing ever happens in an image, and a handle leads to the real tree.
PWALK_TAKES int inotify_add_watch(int fd, const char* path, std::uint32_t mask) {
  return change(AT_FDCWD, path, {}, [=](int, const char* real) { return PWALK_REAL(inotify_add_watch)(fd, real, mask); }, EOPNOTSUPP);
}
PWALK_TAKES int name_to_handle_at(int directory, const char* path, struct file_handle* handle, int* mount, int flags) {
  return change(directory, path, kLink,
                [=](int at, const char* real) { return PWALK_REAL(name_to_handle_at)(at, real, handle, mount, flags); }, EOPNOTSUPP);
}
