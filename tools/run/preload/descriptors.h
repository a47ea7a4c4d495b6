#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "run/preload/scanned_tree.h"

namespace pwalk::run {

/// What an open file description is to the kernel: shared by the descriptors that were
/// duplicated from one another, and with them the position.
struct OpenEntry {
  std::string path;
  EntryRef entry;
  bool path_only = false;  ///< O_PATH
  // Of a directory that was opened for reading:
  Listing listing;
  std::uint64_t position = 0;  ///< 0 ".", 1 "..", then the entries
  std::size_t run = 0;         ///< where `position` is in the listing
  std::uint32_t row = 0;
  std::mutex reading;
};

/// Descriptors of the program that stand for entries of the tree. Their numbers are
/// held by descriptors of a directory that no longer exists, so that whatever does not
/// go through this library finds nothing. Thread-safe.
///
/// A vfork()ed child shares this memory with its parent, so what it closes and
/// duplicates before exec is not recorded.
class Descriptors {
 public:
  /// A new descriptor with the flags of an open(2), or an errno.
  tl::expected<int, int> open(std::shared_ptr<OpenEntry> entry, int flags);
  /// nullptr: a descriptor of libc's.
  std::shared_ptr<OpenEntry> find(int fd);
  /// `fd` has become a duplicate of `of`, or is somebody else's now.
  void duplicated(int of, int fd);
  /// Whoever had this number has it no longer.
  void forget(int fd);
  void forget_range(unsigned first, unsigned last);
  /// A descriptor of the directory that no longer exists.
  tl::expected<int, int> dead_directory();
  void before_fork() { mutex_.lock(); }
  void after_fork() { mutex_.unlock(); }

 private:
  static constexpr std::size_t kMost = 65536;
  bool marked(int fd) const;
  void mark(int fd, bool held);
  bool is_dead_directory(int fd) const;
  bool may_write() const;

  std::mutex mutex_;
  // One bit per number: is it ours? Written under mutex_, read relaxed without it: a
  // program that uses a number while it is being opened or closed has a race of its own.
  std::array<std::atomic<std::uint64_t>, kMost / 64> marks_{};
  std::vector<std::shared_ptr<OpenEntry>> entries_;
  int dead_ = -1;
  std::uint64_t dead_device_ = 0, dead_inode_ = 0;
};

Descriptors& descriptors();

}  // namespace pwalk::run
