#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "pwalk/base/result.h"
#include "pwalk/base/unique_fd.h"
#include "pwalk/image/results_filesystem.h"

namespace pwalk::image {

/// An open image and, once it is known how long it must be, its bytes: a read-only
/// mapping, or memory of our own that fetch() fills piece by piece. Thread-safe,
/// but fetch() of one piece must not run twice at a time, nor with a reader of it.
class ImageFile {
 public:
  static Result<std::shared_ptr<ImageFile>> open(const std::string& path, ImageAccess access);
  ~ImageFile();
  ImageFile(const ImageFile&) = delete;
  ImageFile& operator=(const ImageFile&) = delete;

  /// The same open file without bytes yet, for another commit.
  std::shared_ptr<ImageFile> sibling() const;

  /// Reads into `into` whatever the access. EPROTO if the file ends before.
  Result<void> read(std::uint64_t offset, std::span<std::byte> into) const;
  Result<std::uint64_t> size_now() const;

  /// Makes at() answer for [0, bytes). Once. EPROTO if the file is shorter.
  Result<void> provide(std::uint64_t bytes);
  /// Must have succeeded before at() of a piece is read.
  Result<void> fetch(std::uint64_t offset, std::uint64_t bytes);
  const std::byte* at(std::uint64_t offset) const { return base_ + offset; }
  std::span<const std::byte> at(std::uint64_t offset, std::uint64_t bytes) const { return {base_ + offset, bytes}; }
  std::uint64_t bytes() const { return bytes_; }
  bool copied() const { return copied_; }

  /// Somebody holds the writer's lock.
  bool being_written() const;

  const std::string& path() const { return path_; }
  /// EPROTO, naming the file, the offset and what is wrong there.
  tl::unexpected<Error> damaged(std::uint64_t offset, const std::string& what) const;

 private:
  ImageFile(std::string path, std::shared_ptr<UniqueFd> fd, bool copied)
      : path_(std::move(path)), fd_(std::move(fd)), copied_(copied) {}

  std::string path_;
  std::shared_ptr<UniqueFd> fd_;
  bool copied_ = false;
  std::byte* base_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace pwalk::image
