// Links and names: readlink, realpath, the working directory.
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "run/preload/descriptors.h"
#include "run/preload/link_target.h"
#include "run/preload/path_lookup.h"
#include "run/preload/working_directory.h"

using namespace pwalk::run;

extern "C" {
ssize_t __readlink_chk(const char* path, char* buffer, size_t size, size_t room);
ssize_t __readlinkat_chk(int directory, const char* path, char* buffer, size_t size, size_t room);
char* __realpath_chk(const char* path, char* resolved, size_t room);
char* __getcwd_chk(char* buffer, size_t size, size_t room);
}

namespace {

ssize_t read_link(Call& call, const Located& where, char* buffer, std::size_t size) {
  if (where.error) return call.fail(where.error);
  if (where.entry.type() != 'l' || size == 0) return call.fail(EINVAL);
  const auto target = link_target(*call.tree(), where.absolute, where.entry);
  if (!target) return call.fail(target.error());
  const std::size_t length = std::min(size, target->size());
  std::memcpy(buffer, target->data(), length);
  return ssize_t(length);
}

template <class Real>
ssize_t read_link(int directory, const char* path, char* buffer, std::size_t size, Real real) {
  Call call;
  const Located where = locate(call, directory, path, {.follow = false, .empty_ok = directory != AT_FDCWD});
  if (!where.inside) return call.pass(real, where.directory, where.path);
  return read_link(call, where, buffer, size);
}

/// Copies into the caller's memory, or into new memory.
char* give(Call& call, const std::string& text, char* into, std::size_t room) {
  if (!into) return ::strdup(text.c_str());
  if (text.size() + 1 > room) return call.fail(ERANGE), nullptr;
  std::memcpy(into, text.c_str(), text.size() + 1);
  return into;
}

template <class Real>
char* real_path(const char* path, char* resolved, Real real) {
  Call call;
  const Located where = locate(call, AT_FDCWD, path);
  if (!where.inside) return call.pass(real, where.path);
  if (where.error) return call.fail(where.error), nullptr;
  return give(call, where.absolute, resolved, PATH_MAX);
}

/// With no memory given, `size` of it is made, or as much as is needed.
char* copy_directory(Call& call, char* buffer, std::size_t size) {
  const std::string path = current_directory();
  if (buffer) return size == 0 ? (call.fail(EINVAL), nullptr) : give(call, path, buffer, size);
  if (size == 0) return ::strdup(path.c_str());
  auto* const made = static_cast<char*>(std::malloc(size));
  if (!made) return nullptr;
  char* const given = give(call, path, made, size);
  if (!given) std::free(made);
  return given;
}

int enter(Call& call, const Located& where) {
  if (where.error) return call.fail(where.error);
  if (!where.entry.is_directory()) return call.fail(ENOTDIR);
  return call.end(enter_scanned_directory(where.absolute));
}

/// libc's chdir, remembered.
int enter_real(Call& call, int result) {
  if (result != 0) return call.fail(errno);
  left_for_real_directory();
  return 0;
}

}  // namespace

PWALK_TAKES ssize_t readlink(const char* path, char* buffer, size_t size) {
  return read_link(AT_FDCWD, path, buffer, size, [=](int, const char* real) { return PWALK_REAL(readlink)(real, buffer, size); });
}
PWALK_TAKES ssize_t readlinkat(int directory, const char* path, char* buffer, size_t size) {
  return read_link(directory, path, buffer, size,
                   [=](int at, const char* real) { return PWALK_REAL(readlinkat)(at, real, buffer, size); });
}
PWALK_TAKES ssize_t __readlink_chk(const char* path, char* buffer, size_t size, size_t room) {
  return read_link(AT_FDCWD, path, buffer, size,
                   [=](int, const char* real) { return PWALK_REAL(__readlink_chk)(real, buffer, size, room); });
}
PWALK_TAKES ssize_t __readlinkat_chk(int directory, const char* path, char* buffer, size_t size, size_t room) {
  return read_link(directory, path, buffer, size,
                   [=](int at, const char* real) { return PWALK_REAL(__readlinkat_chk)(at, real, buffer, size, room); });
}

PWALK_TAKES char* realpath(const char* path, char* resolved) {
  return real_path(path, resolved, [=](const char* real) { return PWALK_REAL(realpath)(real, resolved); });
}
PWALK_TAKES char* __realpath_chk(const char* path, char* resolved, size_t room) {
  return real_path(path, resolved, [=](const char* real) { return PWALK_REAL(__realpath_chk)(real, resolved, room); });
}
PWALK_TAKES char* canonicalize_file_name(const char* path) {
  return real_path(path, nullptr, [](const char* real) { return PWALK_REAL(canonicalize_file_name)(real); });
}

PWALK_TAKES char* getcwd(char* buffer, size_t size) {
  Call call;
  if (!call.tree() || !in_scanned_directory()) return call.pass(PWALK_REAL(getcwd), buffer, size);
  return copy_directory(call, buffer, size);
}
PWALK_TAKES char* __getcwd_chk(char* buffer, size_t size, size_t room) {
  Call call;
  if (!call.tree() || !in_scanned_directory()) return call.pass(PWALK_REAL(__getcwd_chk), buffer, size, room);
  return copy_directory(call, buffer, size);
}
PWALK_TAKES char* get_current_dir_name() {
  Call call;
  if (!call.tree() || !in_scanned_directory()) return call.pass(PWALK_REAL(get_current_dir_name));
  return ::strdup(current_directory().c_str());
}

PWALK_TAKES int chdir(const char* path) {
  Call call;
  if (!call.tree()) return call.pass(PWALK_REAL(chdir), path);
  const Located where = locate(call, AT_FDCWD, path);
  return where.inside ? enter(call, where) : enter_real(call, PWALK_REAL(chdir)(where.path));
}
PWALK_TAKES int fchdir(int fd) {
  Call call;
  if (!call.tree()) return call.pass(PWALK_REAL(fchdir), fd);
  const Located where = locate(call, fd, "", {.empty_ok = true});
  return fd >= 0 && where.inside ? enter(call, where) : enter_real(call, PWALK_REAL(fchdir)(fd));
}
