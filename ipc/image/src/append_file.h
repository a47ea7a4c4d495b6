#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "pwalk/base/result.h"
#include "pwalk/base/unique_fd.h"

namespace pwalk::image {

/// FILE.partial, which grows and finally becomes FILE. Whoever writes it holds a
/// lock on it (fcntl(2), F_OFD_SETLK), so that a second writer refuses, and what a
/// killed one left is told from what is being written. One thread.
class AppendFile {
 public:
  /// EBUSY: somebody else is writing FILE.partial. A leftover of a dead writer is replaced.
  static Result<AppendFile> create(const std::string& file, std::uint64_t max_bytes);
  AppendFile(AppendFile&&) noexcept = default;
  AppendFile& operator=(AppendFile&&) noexcept = delete;
  /// Removes FILE.partial unless publish() made it FILE.
  ~AppendFile();

  /// Space at the end of the file. EFBIG if that is beyond the limit.
  Result<std::uint64_t> reserve(std::uint64_t bytes, std::size_t alignment);
  /// Errors: ENOSPC, EDQUOT, EIO, with file and offset.
  Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  Result<std::uint64_t> append(std::span<const std::byte> bytes, std::size_t alignment);
  /// Exactly so many bytes; EIO if the file is shorter.
  Result<void> read_at(std::uint64_t offset, std::span<std::byte> into) const;

  /// fsync.
  Result<void> synchronise();
  /// FILE.partial becomes FILE; the directory is synchronised.
  Result<void> publish();

  std::uint64_t end() const { return end_; }
  const std::string& partial() const { return partial_; }

 private:
  AppendFile() = default;
  std::string file_, partial_;
  UniqueFd fd_, directory_;
  std::uint64_t end_ = 0, max_bytes_ = 0;
};

/// Some other open file holds a writer's lock on this one.
bool is_locked(int fd);

/// Anything without padding as the bytes it is written as.
template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span<const T, 1>(&value, 1));
}

}  // namespace pwalk::image
