#pragma once

#include <cstddef>
#include <span>

#include "mapping.h"
#include "pwalk/base/unique_fd.h"
#include "pwalk/ipc/scan_session.h"

namespace pwalk::ipc {

/// The scanner's pool: one sealed memfd, mapped writable here and nowhere else.
/// Every page is there from the start.
class BlockPool {
 public:
  /// ENOMEM with the shortage, EINVAL below 2 MiB. `bytes` is rounded up to whole
  /// blocks, with reserved huge pages to whole 2 MiB.
  static Result<BlockPool> create(std::uint64_t bytes, HugePages huge_pages);

  int fd() const { return fd_.get(); }
  std::byte* data() const { return mapping_.data(); }
  std::uint64_t bytes() const { return mapping_.size(); }
  std::uint32_t blocks() const;
  std::string_view pages() const { return pages_; }
  std::string_view reason() const { return reason_; }

 private:
  static Result<BlockPool> reserved(std::uint64_t bytes);
  static Result<BlockPool> ordinary(std::uint64_t bytes, bool transparent);
  /// Says in pages_ and reason_ what smaps shows.
  void describe(int collapse_error, bool transparent);

  UniqueFd fd_;
  Mapping mapping_;
  std::string pages_, reason_;
};

}  // namespace pwalk::ipc
