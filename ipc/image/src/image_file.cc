#include "image_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "append_file.h"
#include "image_layout.h"
#include "pwalk/image/image_writer.h"

namespace pwalk::image {
namespace {

/// File systems where a page of a mapping can go away because the file was replaced
/// or the connection broke; the fault would be a SIGBUS, the read is an error. Magic
/// numbers that linux/magic.h lacks are those of the file systems' own sources.
constexpr std::array<std::uint64_t, 11> kFaultingMappings{
    NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC, FUSE_SUPER_MAGIC, AFS_SUPER_MAGIC, CEPH_SUPER_MAGIC,
    V9FS_MAGIC,       CODA_SUPER_MAGIC,
    0x0bd00bd0 /* Lustre */, 0x47504653 /* GPFS */, 0xff534d42 /* CIFS */, 0x19830326 /* BeeGFS */};

bool mapping_can_fault(int fd) {
  struct statfs where{};
  if (::fstatfs(fd, &where) != 0) return true;
  const auto magic = std::uint64_t(where.f_type) & 0xffffffff;
  return std::find(kFaultingMappings.begin(), kFaultingMappings.end(), magic) != kFaultingMappings.end();
}

/// Above the numbers that shells and scripts take for files of their own, where there are so many: below `pwalk run`
/// an image is opened within other people's programs.
constexpr int kLowestDescriptor = 200;

UniqueFd out_of_the_way(UniqueFd fd) {
  const int high = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, kLowestDescriptor);
  return high < 0 ? std::move(fd) : UniqueFd(high);
}

}  // namespace

bool is_image(const std::string& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  char magic[sizeof layout::kMagic];
  return fd && ::pread(fd.get(), magic, sizeof magic, 0) == ssize_t(sizeof magic) &&
         std::memcmp(magic, layout::kMagic, sizeof magic) == 0;
}

Result<std::shared_ptr<ImageFile>> ImageFile::open(const std::string& path, ImageAccess access) {
  // O_NONBLOCK: a FIFO of that name must not make the open wait.
  auto fd = std::make_shared<UniqueFd>(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!*fd) return fail_errno("cannot open image '" + path + "'");
  struct stat facts{};
  if (::fstat(fd->get(), &facts) != 0) return fail_errno("cannot stat image '" + path + "'");
  if (!S_ISREG(facts.st_mode)) return fail(EPROTO, "'" + path + "' is no regular file, so no image");
  const bool copied = access == ImageAccess::copy || (access == ImageAccess::automatic && mapping_can_fault(fd->get()));
  *fd = out_of_the_way(std::move(*fd));
  return std::shared_ptr<ImageFile>(new ImageFile(path, std::move(fd), copied));
}

ImageFile::~ImageFile() {
  if (base_) ::munmap(base_, bytes_);
}

std::shared_ptr<ImageFile> ImageFile::sibling() const {
  return std::shared_ptr<ImageFile>(new ImageFile(path_, fd_, copied_));
}

tl::unexpected<Error> ImageFile::damaged(std::uint64_t offset, const std::string& what) const {
  return fail(EPROTO, "image '" + path_ + "' at offset " + std::to_string(offset) + ": " + what);
}

Result<void> ImageFile::read(std::uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t got = ::pread(fd_->get(), into.data(), into.size(), off_t(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("cannot read image '" + path_ + "' at offset " + std::to_string(offset));
    if (got == 0) return damaged(offset, "the file ends here");
    offset += std::uint64_t(got);
    into = into.subspan(std::size_t(got));
  }
  return {};
}

Result<std::uint64_t> ImageFile::size_now() const {
  struct stat facts{};
  if (::fstat(fd_->get(), &facts) != 0) return fail_errno("cannot stat image '" + path_ + "'");
  return std::uint64_t(facts.st_size);
}

Result<void> ImageFile::provide(std::uint64_t bytes) {
  const auto size = size_now();
  if (!size) return tl::unexpected(size.error());
  if (*size < bytes)
    return damaged(*size, "the file ends here, but its last commit needs " + std::to_string(bytes) + " bytes");
  void* base = copied_ ? ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                       : ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd_->get(), 0);
  if (base == MAP_FAILED) return fail_errno("cannot map image '" + path_ + "'");
  base_ = static_cast<std::byte*>(base);
  bytes_ = bytes;
  return {};
}

Result<void> ImageFile::fetch(std::uint64_t offset, std::uint64_t bytes) {
  return copied_ ? read(offset, {base_ + offset, bytes}) : Result<void>{};
}

bool ImageFile::being_written() const { return is_locked(fd_->get()); }

}  // namespace pwalk::image
