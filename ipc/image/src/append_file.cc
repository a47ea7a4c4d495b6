#include "append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pwalk/base/cache_line.h"
#include "pwalk/base/replaceable_file.h"
#include "pwalk/image/image_writer.h"

namespace pwalk::image {
namespace {

std::string directory_of(const std::string& file) {
  const auto slash = file.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : file.substr(0, slash);
}

enum class Lock { taken, held_by_another, not_supported };

Lock lock_whole_file(int fd) {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return Lock::taken;
  return errno == EAGAIN || errno == EACCES ? Lock::held_by_another : Lock::not_supported;
}

bool still_named(int fd, const std::string& path) {
  struct stat opened{}, named{};
  return ::fstat(fd, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

tl::unexpected<Error> busy(const std::string& partial) {
  return fail(EBUSY, "'" + partial + "' is being written by another scan");
}

/// Removes what a dead writer left. Removing only under the lock keeps two
/// writers from removing each other's new file.
Result<void> remove_leftover(const std::string& partial) {
  UniqueFd old(::open(partial.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!old) {
    if (errno == ENOENT) return {};
    return fail_errno("cannot replace '" + partial + "'");
  }
  if (lock_whole_file(old.get()) == Lock::held_by_another) return busy(partial);
  if (still_named(old.get(), partial) && ::unlink(partial.c_str()) != 0 && errno != ENOENT)
    return fail_errno("cannot replace '" + partial + "'");
  return {};
}

/// A new file, locked, and still the one of that name.
Result<UniqueFd> create_locked(const std::string& partial) {
  for (int attempt = 0; attempt < 8; ++attempt) {
    UniqueFd fd(::open(partial.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd && errno != EEXIST) return fail_errno("cannot create '" + partial + "'");
    if (fd && lock_whole_file(fd.get()) != Lock::held_by_another && still_named(fd.get(), partial)) return fd;
    if (auto removed = remove_leftover(partial); !removed) return tl::unexpected(removed.error());
  }
  return busy(partial);
}

}  // namespace

bool is_locked(int fd) {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  // A file system without such locks cannot tell; then it may be so.
  return ::fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

bool is_being_written(const std::string& partial_file) {
  const UniqueFd fd(::open(partial_file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  return fd && is_locked(fd.get());
}

bool remove_if_abandoned(const std::string& partial_file) {
  struct stat facts{};
  return ::lstat(partial_file.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) && bool(remove_leftover(partial_file));
}

Result<AppendFile> AppendFile::create(const std::string& file, std::uint64_t max_bytes) {
  if (file.empty() || file.back() == '/') return fail(EINVAL, "an image needs a file name, not '" + file + "'");
  if (auto fine = check_replaceable(file); !fine) return tl::unexpected(fine.error());
  AppendFile made;
  made.file_ = file;
  made.partial_ = file + ".partial";
  made.max_bytes_ = max_bytes;
  const std::string directory = directory_of(file);
  made.directory_.reset(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!made.directory_) return fail_errno("cannot open '" + directory + "'");
  auto fd = create_locked(made.partial_);
  if (!fd) return tl::unexpected(fd.error());
  made.fd_ = *std::move(fd);
  return made;
}

AppendFile::~AppendFile() {
  if (fd_ && still_named(fd_.get(), partial_)) ::unlink(partial_.c_str());
}

Result<std::uint64_t> AppendFile::reserve(std::uint64_t bytes, std::size_t alignment) {
  const std::uint64_t from = align_up(end_, alignment);
  if (max_bytes_ != 0 && (bytes > max_bytes_ || from > max_bytes_ - bytes))
    return fail(EFBIG, "the image '" + partial_ + "' would exceed its limit of " + std::to_string(max_bytes_) + " bytes");
  end_ = from + bytes;
  return from;
}

Result<void> AppendFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(fd_.get(), bytes.data(), bytes.size(), off_t(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote == 0) errno = ENOSPC;  // never seen on Linux; without this it would spin
    if (wrote <= 0) return fail_errno("cannot write '" + partial_ + "' at offset " + std::to_string(offset));
    offset += std::uint64_t(wrote);
    bytes = bytes.subspan(std::size_t(wrote));
  }
  return {};
}

Result<std::uint64_t> AppendFile::append(std::span<const std::byte> bytes, std::size_t alignment) {
  auto offset = reserve(bytes.size(), alignment);
  if (!offset) return offset;
  if (auto written = write_at(*offset, bytes); !written) return tl::unexpected(written.error());
  return offset;
}

Result<void> AppendFile::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t got = ::pread(fd_.get(), into.data(), into.size(), off_t(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("cannot read '" + partial_ + "' at offset " + std::to_string(offset));
    if (got == 0) return fail(EIO, "'" + partial_ + "' ends at offset " + std::to_string(offset));
    offset += std::uint64_t(got);
    into = into.subspan(std::size_t(got));
  }
  return {};
}

Result<void> AppendFile::synchronise() {
  if (::fsync(fd_.get()) != 0) return fail_errno("cannot synchronise '" + partial_ + "'");
  return {};
}

Result<void> AppendFile::publish() {
  if (::rename(partial_.c_str(), file_.c_str()) != 0)
    return fail_errno("cannot rename '" + partial_ + "' to '" + file_ + "'");
  fd_.reset();
  // A file system that cannot synchronise directories says EINVAL; the rename holds all the same.
  if (::fsync(directory_.get()) != 0 && errno != EINVAL) return fail_errno("cannot synchronise the directory of '" + file_ + "'");
  return {};
}

}  // namespace pwalk::image
