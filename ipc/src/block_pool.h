#pragma once

#include <chrono>
#include <cstddef>
#include <span>

#include "mapping.h"
#include "pwalk/base/unique_fd.h"
#include "pwalk/ipc/scan_session.h"

namespace pwalk::ipc {

/// The scanner's pool: one sealed memfd, mapped writable here and nowhere else.
///
/// A large pool of ordinary pages is made as it is needed: that there is memory for
/// all of it is checked at the start, its first part is there from the start, the
/// rest comes with grow(). Nothing above ready() may be touched, so that running out
/// is an answer and never a SIGBUS.
class BlockPool {
 public:
  /// ENOMEM with the shortage, EINVAL below 2 MiB. `bytes` is rounded up to whole
  /// blocks, with reserved huge pages to whole 2 MiB.
  static Result<BlockPool> create(std::uint64_t bytes, HugePages huge_pages);

  /// Bytes from the start that are there.
  std::uint64_t ready() const { return ready_; }

  /// Makes the next part, a few MiB, and returns ready(). ENOMEM: there is no memory
  /// for it any more; what is there stays. One thread at a time. Requires ready() < bytes().
  Result<std::uint64_t> grow();

  int fd() const { return fd_.get(); }
  std::byte* data() const { return mapping_.data(); }
  std::uint64_t bytes() const { return mapping_.size(); }
  std::uint32_t blocks() const;
  std::string_view pages() const { return pages_; }
  std::string_view reason() const { return reason_; }

 private:
  static Result<BlockPool> reserved(std::uint64_t bytes);
  static Result<BlockPool> ordinary(std::uint64_t bytes, bool transparent);
  Result<void> prepare(std::uint64_t from, std::uint64_t bytes);
  void collapse_part(std::uint64_t from, std::uint64_t bytes);
  /// Says in pages_ and reason_ what smaps shows.
  void describe(bool transparent);

  UniqueFd fd_;
  Mapping mapping_;
  std::uint64_t ready_ = 0;
  std::uint64_t checked_ = 0;   ///< up to here memory was found to be available
  bool transparent_ = false;    ///< huge pages are worth another try
  int collapse_error_ = 0;      ///< errno
  std::chrono::nanoseconds longest_collapse_{0};  ///< for one huge page, CPU time
  std::string pages_, reason_;
};

}  // namespace pwalk::ipc
