#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "dirent_buffer.h"
#include "pwalk/base/result.h"
#include "pwalk/base/unique_fd.h"

namespace pwalk::fuse {

/// One name below the source that the kernel knows. A directory keeps an O_PATH
/// descriptor; anything else is reached through its parent's, so that the number
/// of descriptors is that of the directories.
struct PassthroughNode {
  PassthroughNode* parent = nullptr;
  std::string name;
  UniqueFd directory;
  std::uint64_t lookups = 0;  ///< what the kernel has still to forget
  std::map<std::string, std::unique_ptr<PassthroughNode>, std::less<>> children;
};

/// The names below one directory, with the life times of the FUSE protocol: a
/// node lives while the kernel remembers it or one below it. Hard links are
/// separate nodes, which a read-only file system may do. Thread-safe.
class PassthroughTree {
 public:
  struct Found {
    PassthroughNode* node;
    struct stat status;
  };

  /// Before anything else. Errors: those of open(2).
  Result<void> open(const std::string& source);

  PassthroughNode& root() { return root_; }

  /// Stats `name` in `parent` and counts one lookup of it. Errors: those of fstatat(2) and openat(2).
  Result<Found> look_up(PassthroughNode& parent, const char* name);

  /// The kernel gives `lookups` of them back; the node may be gone afterwards.
  void forget(PassthroughNode& node, std::uint64_t lookups);

  Result<struct stat> status(const PassthroughNode& node) const;

  /// Every name of a directory, dots included. Errors: those of opendir(3) and readdir(3).
  static Result<Listing> list(const PassthroughNode& node);

  static Result<std::string> read_link(const PassthroughNode& node);

 private:
  std::mutex mutex_;  ///< guards lookups and children of every node
  PassthroughNode root_;
};

}  // namespace pwalk::fuse
