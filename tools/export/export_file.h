#pragma once

#include <string>

#include "pwalk/base/result.h"
#include "pwalk/base/unique_fd.h"

namespace pwalk::tools {

/// A file under construction: FILE.partial until commit() makes it FILE. Whatever
/// ends before that leaves nothing.
class ExportFile {
 public:
  /// Errors: what open(2) says; EISDIR, EINVAL, FILE is there and no regular file; EBUSY, somebody else is writing FILE.partial.
  static Result<ExportFile> create(std::string file);
  ExportFile(ExportFile&& other) noexcept;
  ExportFile& operator=(ExportFile&&) = delete;
  ~ExportFile();

  int descriptor() const { return fd_.get(); }
  const std::string& partial() const { return partial_; }
  /// Synchronises and renames. Errors: EIO, ENOSPC and the like.
  Result<void> commit();

 private:
  ExportFile(std::string file, UniqueFd fd) : file_(std::move(file)), partial_(file_ + ".partial"), fd_(std::move(fd)) {}

  std::string file_, partial_;
  UniqueFd fd_;
};

}  // namespace pwalk::tools
