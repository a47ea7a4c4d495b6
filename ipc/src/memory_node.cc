#include "memory_node.h"

#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pwalk::ipc {

OnMemoryNode::OnMemoryNode(std::optional<unsigned> node) {
  if (!node || *node >= kMostNodes) return;
  if (::syscall(SYS_get_mempolicy, &before_, nodes_before_.data(), kMostNodes, nullptr, 0) != 0) return;
  NodeMask wanted{};
  wanted[*node / kBitsPerWord] = 1ul << (*node % kBitsPerWord);
  changed_ = ::syscall(SYS_set_mempolicy, MPOL_PREFERRED, wanted.data(), kMostNodes) == 0;
}

OnMemoryNode::~OnMemoryNode() {
  if (changed_) ::syscall(SYS_set_mempolicy, before_, nodes_before_.data(), kMostNodes);
}

}  // namespace pwalk::ipc
