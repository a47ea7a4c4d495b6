#pragma once

#include <array>
#include <optional>

namespace pwalk::ipc {

/// For as long as it lives, memory that the calling thread has the kernel allocate lies on one NUMA node if there is
/// room, whatever policy was inherited: set_mempolicy(2) with MPOL_PREFERRED. A memfd has no policy of its own, so this
/// holds for fallocate(2), for madvise(MADV_POPULATE_WRITE) and for the first page of an extent, which decides where
/// MADV_COLLAPSE makes a huge one. nullopt, or refused (no NUMA, outside the cpuset): nothing changes. By system call,
/// since who links only this library needs no libnuma.
class OnMemoryNode {
 public:
  explicit OnMemoryNode(std::optional<unsigned> node);
  OnMemoryNode(const OnMemoryNode&) = delete;
  OnMemoryNode& operator=(const OnMemoryNode&) = delete;
  ~OnMemoryNode();

 private:
  static constexpr unsigned kMostNodes = 1024, kBitsPerWord = 8 * sizeof(unsigned long);
  using NodeMask = std::array<unsigned long, kMostNodes / kBitsPerWord>;

  bool changed_ = false;
  int before_ = 0;  ///< the policy's mode and flags
  NodeMask nodes_before_{};
};

}  // namespace pwalk::ipc
