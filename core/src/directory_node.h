#pragma once

#include <atomic>
#include <boost/intrusive/list_hook.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstdint>
#include <string_view>

#include "descriptor_lease.h"

namespace pwalk {

/// Which object a directory is. `known` false: not asked yet (names-only walks,
/// automount points); it is settled when the directory is opened.
struct Identity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t mount = 0;  ///< 0: this kernel does not tell
  bool known = false;

  bool same_object(const Identity& other) const {
    return known && other.known && device == other.device && inode == other.inode;
  }
};

/// When a directory was last changed, ns since 1970 UTC; for walks that know an earlier scan.
struct ChangeTimes {
  std::int64_t mtime = 0, ctime = 0;
  bool known = false;
};

class DirectoryNode;
void intrusive_ptr_add_ref(DirectoryNode* node);
void intrusive_ptr_release(DirectoryNode* node);
using NodePtr = boost::intrusive_ptr<DirectoryNode>;

/// A directory that waits to be read, is being read, or has descendants that are.
/// Knows its parent and its name, never its path: that is put together only for
/// rows (PathCursor). Reference-counted; a child holds its parent. Immutable after
/// it was queued, but for the counters, the lease and what settle() sets.
class DirectoryNode {
 public:
  using Hook = boost::intrusive::list_member_hook<>;

  struct Origin {
    std::uint32_t root = 0;      ///< index into ScanPlan::roots
    Identity identity;
    bool through_link = false;   ///< its name is a symbolic link to follow
    ChangeTimes changed;
  };

  /// `parent` null: a root. `name` is copied.
  static NodePtr make(NodePtr parent, std::string_view name, const Origin& origin);

  DirectoryNode* parent() const { return parent_; }
  /// Its own component, NUL-terminated; of a root the path as given.
  const char* name() const { return reinterpret_cast<const char*>(this + 1); }
  std::string_view name_view() const { return {name(), name_length_}; }
  std::uint32_t depth() const { return depth_; }
  std::uint32_t root() const { return root_; }
  bool through_link() const { return through_link_; }

  const Identity& identity() const { return identity_; }
  /// Sets what was not known. By the one thread that opens it first, before
  /// anybody else can see it open or have a child of it.
  void settle(const Identity& identity) { identity_ = identity; }

  const ChangeTimes& changed() const { return changed_; }
  /// Of a root, which is asked about when it is taken up. As settle().
  void settle(const ChangeTimes& changed) { changed_ = changed; }

  /// True if it, or a directory it lies in, is this object. O(depth).
  bool is_or_lies_in(const Identity& identity) const;

  /// Memory it takes, for the frontier's budget.
  std::size_t footprint() const { return sizeof *this + name_length_ + 1; }

  /// Parties that want the descriptor kept: its reader, and each child that was
  /// not opened yet. While there are any, it may be closed only to be reopened.
  void add_user() { users_.fetch_add(1, std::memory_order_relaxed); }
  /// True for the last. Acquire-release: the last user sees what all others did.
  bool drop_user() { return users_.fetch_sub(1, std::memory_order_acq_rel) == 1; }
  bool has_users() const { return users_.load(std::memory_order_relaxed) != 0; }
  /// For the reader: nobody else wants it open, nor ever will unless a child is added.
  bool is_sole_user() const { return users_.load(std::memory_order_acquire) == 1; }

  DescriptorLease lease;
  Hook shelf_hook;  ///< guarded by the shelf's mutex
  /// Number of its shelf + 1, 0 before it has one; set once, by its reader (see
  /// OpenDirectories). Release and acquire.
  std::atomic<std::uint32_t> shelf{0};
  /// Its reader is done with it: nobody has a position in it any more. Set and read under a pin.
  std::atomic<bool> is_listed{false};
  DirectoryNode* next_reserved = nullptr;  ///< Frontier's private list
  /// Frontier's: the metadata server that is thought to have it, a slot of ServerQueues.
  std::uint8_t server = 0;

 private:
  DirectoryNode(NodePtr parent, std::string_view name, const Origin& origin);
  ~DirectoryNode() = default;
  friend void intrusive_ptr_add_ref(DirectoryNode* node);
  friend void intrusive_ptr_release(DirectoryNode* node);

  DirectoryNode* const parent_;  ///< owns one reference, dropped by hand: no recursion
  Identity identity_;
  ChangeTimes changed_;
  std::atomic<std::uint32_t> references_{0};
  std::atomic<std::uint32_t> users_{0};
  const std::uint32_t depth_;
  const std::uint32_t root_;
  const std::uint32_t name_length_;
  const bool through_link_;
};

}  // namespace pwalk
