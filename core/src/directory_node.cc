#include "directory_node.h"

#include <cstring>
#include <new>

namespace pwalk {

NodePtr DirectoryNode::make(NodePtr parent, std::string_view name, const Origin& origin) {
  void* memory = ::operator new(sizeof(DirectoryNode) + name.size() + 1);
  auto* node = new (memory) DirectoryNode(std::move(parent), name, origin);
  char* copy = reinterpret_cast<char*>(node + 1);
  std::memcpy(copy, name.data(), name.size());
  copy[name.size()] = '\0';
  return NodePtr(node);
}

DirectoryNode::DirectoryNode(NodePtr parent, std::string_view name, const Origin& origin)
    : parent_(parent.detach()),
      identity_(origin.identity),
      changed_(origin.changed),
      depth_(parent_ ? parent_->depth_ + 1 : 0),
      root_(origin.root),
      name_length_(std::uint32_t(name.size())),
      through_link_(origin.through_link) {}

bool DirectoryNode::is_or_lies_in(const Identity& identity) const {
  for (const DirectoryNode* at = this; at; at = at->parent_)
    if (at->identity_.same_object(identity)) return true;
  return false;
}

void intrusive_ptr_add_ref(DirectoryNode* node) { node->references_.fetch_add(1, std::memory_order_relaxed); }

// A loop and not a recursion: a chain of a million directories may end at once.
void intrusive_ptr_release(DirectoryNode* node) {
  // Acquire-release: whoever destroys sees what all other holders did.
  while (node && node->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    DirectoryNode* const parent = node->parent_;
    node->~DirectoryNode();
    ::operator delete(node);
    node = parent;
  }
}

}  // namespace pwalk
