// Reading directories.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "run/preload/directory_stream.h"
#include "run/preload/raw_calls.h"
#include "run/preload/scanned_open.h"

using namespace pwalk::run;

static_assert(sizeof(struct dirent) == sizeof(struct dirent64), "one layout for both");

namespace pwalk::run {

ssize_t read_records(Call& call, OpenEntry& open, void* buffer, std::size_t size) {
  auto* const bytes = static_cast<char*>(buffer);
  std::size_t filled = 0;
  for (;;) {
    auto& record = *reinterpret_cast<struct dirent*>(bytes + filled);
    const int got = read_entry(*call.tree(), open, record, size - filled);
    if (got == 1) filled += record.d_reclen;
    else if (got == 0 || filled != 0) return ssize_t(filled);
    else return call.fail(-got);
  }
}

}  // namespace pwalk::run

namespace {

DIR* open_stream(Call& call, const Located& where) {
  const auto open = open_directory(*call.tree(), where);
  if (!open) return call.fail(open.error()), nullptr;
  const auto fd = descriptors().open(*open, O_CLOEXEC);
  if (!fd) return call.fail(fd.error()), nullptr;
  return (new DirectoryStream(*fd, *open))->handle();
}

struct dirent* read_stream(Call& call, DirectoryStream& stream) {
  const int got = read_entry(*call.tree(), *stream.open, stream.entry, sizeof stream.room);
  if (got < 0) call.fail(-got);
  return got == 1 ? &stream.entry : nullptr;
}

template <class Dirent>
int read_into(Call& call, DirectoryStream& stream, Dirent* entry, Dirent** result) {
  const int got = read_entry(*call.tree(), *stream.open, *reinterpret_cast<struct dirent*>(entry), sizeof *entry);
  *result = got == 1 ? entry : nullptr;
  return got < 0 ? -got : 0;
}

/// Every entry of a directory, each in memory of its own.
template <class Dirent>
std::vector<Dirent*> copy_entries(Call& call, OpenEntry& open) {
  std::vector<Dirent*> entries;
  DirectoryStream stream(-1, nullptr);
  while (read_entry(*call.tree(), open, stream.entry, sizeof stream.room) == 1) {
    auto* const copy = static_cast<Dirent*>(std::malloc(stream.entry.d_reclen));
    std::memcpy(copy, &stream.entry, stream.entry.d_reclen);
    entries.push_back(copy);
  }
  return entries;
}

/// scandir(3)'s second half, which calls back to the program.
template <class Dirent>
int choose(std::vector<Dirent*> entries, Dirent*** into, int (*wanted)(const Dirent*),
           int (*order)(const Dirent**, const Dirent**)) {
  std::erase_if(entries, [wanted](Dirent* entry) {
    const bool dropped = wanted && !wanted(entry);
    if (dropped) std::free(entry);
    return dropped;
  });
  if (order)
    std::stable_sort(entries.begin(), entries.end(), [order](const Dirent* a, const Dirent* b) { return order(&a, &b) < 0; });
  *into = static_cast<Dirent**>(std::malloc((entries.size() + 1) * sizeof(Dirent*)));
  std::copy(entries.begin(), entries.end(), *into);
  return int(entries.size());
}

template <class Dirent, class Real>
int scan(int directory, const char* path, Dirent*** into, int (*wanted)(const Dirent*),
         int (*order)(const Dirent**, const Dirent**), Real real) {
  Call call;
  const Located where = locate(call, directory, path);
  if (!where.inside) return call.pass(real, where.directory, where.path);
  const auto open = open_directory(*call.tree(), where);
  if (!open) return call.fail(open.error());
  return call.pass([entries = copy_entries<Dirent>(call, **open), into, wanted, order] { return choose(entries, into, wanted, order); });
}

}  // namespace

PWALK_TAKES DIR* opendir(const char* path) {
  Call call;
  const Located where = locate(call, AT_FDCWD, path);
  if (!where.inside) return call.pass(PWALK_REAL(opendir), where.path);
  return open_stream(call, where);
}

PWALK_TAKES DIR* fdopendir(int fd) {
  Call call;
  const auto open = call.tree() ? descriptors().find(fd) : nullptr;
  if (!open) return call.pass(PWALK_REAL(fdopendir), fd);
  if (open->path_only) return call.fail(EBADF), nullptr;
  return (new DirectoryStream(fd, open))->handle();
}

PWALK_TAKES int closedir(DIR* given) {
  Call call;
  DirectoryStream* const stream = DirectoryStream::of(given);
  if (!stream) return call.pass(PWALK_REAL(closedir), given);
  descriptors().forget(stream->fd);
  const int fd = stream->fd;
  delete stream;
  return call.pass(PWALK_REAL(close), fd);
}

PWALK_TAKES struct dirent* readdir(DIR* given) {
  Call call;
  DirectoryStream* const stream = DirectoryStream::of(given);
  return stream ? read_stream(call, *stream) : call.pass(PWALK_REAL(readdir), given);
}
PWALK_TAKES struct dirent64* readdir64(DIR* given) {
  Call call;
  DirectoryStream* const stream = DirectoryStream::of(given);
  return stream ? reinterpret_cast<struct dirent64*>(read_stream(call, *stream)) : call.pass(PWALK_REAL(readdir64), given);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
PWALK_TAKES int readdir_r(DIR* given, struct dirent* entry, struct dirent** result) {
  Call call;
  DirectoryStream* const stream = DirectoryStream::of(given);
  return stream ? read_into(call, *stream, entry, result) : call.pass(PWALK_REAL(readdir_r), given, entry, result);
}
PWALK_TAKES int readdir64_r(DIR* given, struct dirent64* entry, struct dirent64** result) {
  Call call;
  DirectoryStream* const stream = DirectoryStream::of(given);
  return stream ? read_into(call, *stream, entry, result) : call.pass(PWALK_REAL(readdir64_r), given, entry, result);
}
#pragma GCC diagnostic pop

PWALK_TAKES void rewinddir(DIR* given) {
  Call call;
  if (DirectoryStream* const stream = DirectoryStream::of(given)) return seek_entry(*stream->open, 0);
  call.pass(PWALK_REAL(rewinddir), given);
}
PWALK_TAKES void seekdir(DIR* given, long position) {
  Call call;
  if (DirectoryStream* const stream = DirectoryStream::of(given)) return seek_entry(*stream->open, std::uint64_t(position));
  call.pass(PWALK_REAL(seekdir), given, position);
}
PWALK_TAKES long telldir(DIR* given) {
  Call call;
  DirectoryStream* const stream = DirectoryStream::of(given);
  return stream ? long(stream->open->position) : call.pass(PWALK_REAL(telldir), given);
}
PWALK_TAKES int dirfd(DIR* given) {
  Call call;
  DirectoryStream* const stream = DirectoryStream::of(given);
  return stream ? stream->fd : call.pass(PWALK_REAL(dirfd), given);
}

PWALK_TAKES ssize_t getdents64(int fd, void* buffer, size_t size) {
  Call call;
  const auto open = call.tree() ? descriptors().find(fd) : nullptr;
  if (!open) return call.pass(PWALK_REAL(getdents64), fd, buffer, size);
  return read_records(call, *open, buffer, size);
}

namespace {

template <class Real>
off_t seek(int fd, off_t offset, int whence, Real real) {
  Call call;
  const auto open = call.tree() ? descriptors().find(fd) : nullptr;
  if (!open) return call.pass(real, fd, offset, whence);
  if (open->path_only) return call.fail(EBADF);
  if (whence == SEEK_CUR && offset == 0) return off_t(open->position);
  if (whence != SEEK_SET || offset < 0) return call.fail(EINVAL);
  seek_entry(*open, std::uint64_t(offset));
  return offset;
}

}  // namespace

PWALK_TAKES off_t lseek(int fd, off_t offset, int whence) noexcept { return seek(fd, offset, whence, PWALK_REAL(lseek)); }
PWALK_TAKES off64_t lseek64(int fd, off64_t offset, int whence) noexcept { return seek(fd, offset, whence, PWALK_REAL(lseek64)); }

PWALK_TAKES int scandir(const char* path, struct dirent*** into, int (*wanted)(const struct dirent*),
                        int (*order)(const struct dirent**, const struct dirent**)) {
  return scan(AT_FDCWD, path, into, wanted, order,
              [=](int, const char* real) { return PWALK_REAL(scandir)(real, into, wanted, order); });
}
PWALK_TAKES int scandir64(const char* path, struct dirent64*** into, int (*wanted)(const struct dirent64*),
                          int (*order)(const struct dirent64**, const struct dirent64**)) {
  return scan(AT_FDCWD, path, into, wanted, order,
              [=](int, const char* real) { return PWALK_REAL(scandir64)(real, into, wanted, order); });
}
PWALK_TAKES int scandirat(int directory, const char* path, struct dirent*** into, int (*wanted)(const struct dirent*),
                          int (*order)(const struct dirent**, const struct dirent**)) {
  return scan(directory, path, into, wanted, order,
              [=](int at, const char* real) { return PWALK_REAL(scandirat)(at, real, into, wanted, order); });
}
PWALK_TAKES int scandirat64(int directory, const char* path, struct dirent64*** into, int (*wanted)(const struct dirent64*),
                            int (*order)(const struct dirent64**, const struct dirent64**)) {
  return scan(directory, path, into, wanted, order,
              [=](int at, const char* real) { return PWALK_REAL(scandirat64)(at, real, into, wanted, order); });
}
