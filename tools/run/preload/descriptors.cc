#include "run/preload/descriptors.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "run/preload/process_identity.h"

namespace pwalk::run {
namespace {

/// Above what programs name by number.
constexpr int kLowestHidden = 200;

/// Makes a directory, opens it and removes it.
int open_dead_directory() {
  for (const char* place : {"/dev/shm", "/tmp", "/var/tmp", "."}) {
    std::string name = std::string(place) + "/pwalk-run-XXXXXX";
    if (!::mkdtemp(name.data())) continue;
    const int fd = ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ::rmdir(name.c_str());
    if (fd < 0) continue;
    const int high = ::fcntl(fd, F_DUPFD_CLOEXEC, kLowestHidden);
    if (high < 0) return fd;
    ::close(fd);
    return high;
  }
  return -1;
}

}  // namespace

Descriptors& descriptors() {
  static auto* const all = new Descriptors;  // never destroyed: the program may close descriptors until its last breath
  return *all;
}

bool Descriptors::may_write() const { return own_process(); }

bool Descriptors::marked(int fd) const {
  if (fd < 0 || std::size_t(fd) >= kMost) return false;
  return marks_[std::size_t(fd) / 64].load(std::memory_order_relaxed) >> (fd % 64) & 1;
}

void Descriptors::mark(int fd, bool held) {
  auto& word = marks_[std::size_t(fd) / 64];
  const std::uint64_t bit = std::uint64_t{1} << (fd % 64);
  if (held) word.fetch_or(bit, std::memory_order_relaxed);
  else word.fetch_and(~bit, std::memory_order_relaxed);
}

/// The program may have closed it unasked, and its number may be another's now.
bool Descriptors::is_dead_directory(int fd) const {
  struct stat facts {};
  return fd >= 0 && ::fstat(fd, &facts) == 0 && facts.st_dev == dead_device_ && facts.st_ino == dead_inode_;
}

tl::expected<int, int> Descriptors::dead_directory() {
  const std::lock_guard lock(mutex_);
  if (is_dead_directory(dead_)) return dead_;
  dead_ = open_dead_directory();
  struct stat facts {};
  if (dead_ < 0 || ::fstat(dead_, &facts) != 0) return tl::unexpected(errno);
  dead_device_ = facts.st_dev;
  dead_inode_ = facts.st_ino;
  return dead_;
}

tl::expected<int, int> Descriptors::open(std::shared_ptr<OpenEntry> entry, int flags) {
  const auto dead = dead_directory();
  if (!dead) return dead;
  const int fd = ::fcntl(*dead, flags & O_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
  if (fd < 0) return tl::unexpected(errno);
  if (std::size_t(fd) >= kMost) {
    ::close(fd);
    return tl::unexpected(EMFILE);
  }
  const std::lock_guard lock(mutex_);
  if (entries_.size() <= std::size_t(fd)) entries_.resize(std::size_t(fd) + 1);
  entries_[std::size_t(fd)] = std::move(entry);
  mark(fd, true);
  return fd;
}

std::shared_ptr<OpenEntry> Descriptors::find(int fd) {
  if (!marked(fd)) return nullptr;
  const std::lock_guard lock(mutex_);
  return std::size_t(fd) < entries_.size() ? entries_[std::size_t(fd)] : nullptr;
}

void Descriptors::duplicated(int of, int fd) {
  if (of == fd || !may_write()) return;
  auto entry = find(of);
  if (!entry) return forget(fd);
  if (std::size_t(fd) >= kMost) return;
  const std::lock_guard lock(mutex_);
  if (entries_.size() <= std::size_t(fd)) entries_.resize(std::size_t(fd) + 1);
  entries_[std::size_t(fd)] = std::move(entry);
  mark(fd, true);
}

void Descriptors::forget(int fd) {
  if (!marked(fd) || !may_write()) return;
  const std::lock_guard lock(mutex_);
  mark(fd, false);
  if (std::size_t(fd) < entries_.size()) entries_[std::size_t(fd)].reset();
}

void Descriptors::forget_range(unsigned first, unsigned last) {
  for (std::size_t fd = first; fd <= last && fd < kMost; ++fd) forget(int(fd));
}

}  // namespace pwalk::run
