#include "export/export_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdio>

#include "pwalk/base/replaceable_file.h"

namespace pwalk::tools {

Result<ExportFile> ExportFile::create(std::string file) {
  if (auto fine = check_replaceable(file); !fine) return tl::unexpected(fine.error());
  const std::string partial = file + ".partial";
  UniqueFd fd(::open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!fd) return fail_errno("cannot write '" + partial + "'");
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return fail(EBUSY, "'" + partial + "' is being written already");
  if (::ftruncate(fd.get(), 0) != 0) return fail_errno("cannot write '" + partial + "'");
  return ExportFile(std::move(file), std::move(fd));
}

ExportFile::ExportFile(ExportFile&& other) noexcept
    : file_(std::move(other.file_)), partial_(std::move(other.partial_)), fd_(std::move(other.fd_)) {}

ExportFile::~ExportFile() {
  if (fd_) ::unlink(partial_.c_str());
}

Result<void> ExportFile::commit() {
  if (::fsync(fd_.get()) != 0) return fail_errno("cannot write '" + partial_ + "'");
  if (std::rename(partial_.c_str(), file_.c_str()) != 0) return fail_errno("cannot rename '" + partial_ + "' to '" + file_ + "'");
  fd_.reset();
  return {};
}

}  // namespace pwalk::tools
