#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mapping.h"
#include "pwalk/base/unique_fd.h"
#include "pwalk/ipc/scan_session.h"

namespace pwalk::ipc {

/// From the end of the part before to `end` bytes, meant to lie on the home-th of the pool's NUMA nodes.
struct PoolPart {
  std::uint64_t end = 0;
  std::uint16_t home = 0;
};

/// The scanner's pool: one sealed memfd, mapped writable here and nowhere else.
///
/// A large pool of ordinary pages is made as it is needed: that there is memory for
/// all of it is checked at the start, its first part is there from the start, the
/// rest comes with grow(). Nothing above ready() may be touched, so that running out
/// is an answer and never a SIGBUS.
class BlockPool {
 public:
  /// ENOMEM with the shortage, EINVAL below 2 MiB. `bytes` is rounded up to whole
  /// blocks, with reserved huge pages to whole 2 MiB. `nodes`: where the memory is to lie,
  /// what is there from the start in equal parts; empty: wherever the kernel likes.
  static Result<BlockPool> create(std::uint64_t bytes, HugePages huge_pages, const std::vector<unsigned>& nodes = {});

  /// Bytes from the start that are there.
  std::uint64_t ready() const { return parts_.empty() ? 0 : parts_.back().end; }
  /// Where they lie, in their order.
  std::span<const PoolPart> parts() const { return parts_; }
  const std::vector<unsigned>& nodes() const { return nodes_; }

  /// Makes the next part, a few MiB on the home-th node, and returns ready(). ENOMEM: there is no
  /// memory for it any more; what is there stays. One thread at a time. Requires ready() < bytes().
  Result<std::uint64_t> grow(std::uint16_t home = 0);

  int fd() const { return fd_.get(); }
  std::byte* data() const { return mapping_.data(); }
  std::uint64_t bytes() const { return mapping_.size(); }
  std::uint32_t blocks() const;
  std::string_view pages() const { return pages_; }
  std::string_view reason() const { return reason_; }

 private:
  using Nodes = std::vector<unsigned>;
  static Result<BlockPool> reserved(std::uint64_t bytes, const Nodes& nodes);
  static Result<BlockPool> ordinary(std::uint64_t bytes, bool transparent, const Nodes& nodes);
  std::optional<unsigned> node_of(std::uint16_t home) const;
  template <class Make>
  Result<void> make_first(std::uint64_t bytes, Make&& make);
  template <class Make>
  Result<void> make_part(std::uint64_t end, std::uint16_t home, Make&& make);
  Result<void> prepare(std::uint64_t from, std::uint64_t bytes);
  void collapse_part(std::uint64_t from, std::uint64_t bytes);
  /// Says in pages_ and reason_ what smaps shows.
  void describe(bool transparent);

  UniqueFd fd_;
  Mapping mapping_;
  Nodes nodes_;
  std::vector<PoolPart> parts_;
  std::uint64_t checked_ = 0;   ///< up to here memory was found to be available
  bool transparent_ = false;    ///< huge pages are worth another try
  int collapse_error_ = 0;      ///< errno
  std::chrono::nanoseconds longest_collapse_{0};  ///< for one huge page, CPU time
  std::string pages_, reason_;
};

}  // namespace pwalk::ipc
