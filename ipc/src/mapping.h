#pragma once

#include <boost/interprocess/mapped_region.hpp>
#include <cstddef>
#include <cstdint>

#include "pwalk/base/result.h"

namespace pwalk::ipc {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

enum class Access : std::uint8_t { read_only, read_write };

/// A mapping of a whole memfd. Move-only; unmaps in its destructor.
class Mapping {
 public:
  Mapping() = default;

  /// Maps `bytes` of `fd` at a multiple of `alignment` (a power of two, at least a
  /// page). 2 MiB alignment is what lets the kernel map huge pages of a memfd, and
  /// mmap(2) does not promise it.
  static Result<Mapping> map(int fd, std::size_t bytes, Access access, std::size_t alignment = 4096);

  std::byte* data() const { return static_cast<std::byte*>(region_.get_address()); }
  std::size_t size() const { return region_.get_size(); }
  bool contains(const void* address) const {
    const auto* at = static_cast<const std::byte*>(address);
    return at >= data() && at < data() + size();
  }

  /// A forked child does not get the mapping (MADV_DONTFORK). After it the child
  /// must call abandon() instead of destroying the object.
  Result<void> keep_from_children();
  /// Forgets the mapping without unmapping: the addresses may be somebody else's.
  void abandon();

 private:
  boost::interprocess::mapped_region region_;
};

}  // namespace pwalk::ipc
