#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "pwalk/image/results_filesystem.h"

/// What changed between two images of a tree.
namespace pwalk::tools {

/// A subtree of an image.
struct ComparedTree {
  const ResultsFilesystem& results;
  std::string root;
};

enum class DifferenceKind : std::uint8_t { added, removed, changed, moved };

/// Facts that are compared: those that both scans fetched. A directory's own size and
/// its times of access are none; its modification time is not either, since it only says
/// that an entry came or went, which is told by itself.
struct ChangedFacts {
  bool type = false, size = false, mode = false, owner = false, mtime = false, target = false, inode = false;
  bool any() const { return type || size || mode || owner || mtime || target || inode; }
};

struct Difference {
  DifferenceKind kind;
  std::string_view path;  ///< absolute, on the new side unless it was removed
  std::string_view from;  ///< moved: the old path
  EntryRef before, after;  ///< none where there is none
  ChangedFacts facts;      ///< changed, and moved if it changed too
};

/// Tells of every difference: directories are merged name by name, in the order of the
/// names. What disappeared at one path and appeared at another as the same inode
/// (device, number, type) has moved; of a directory that moved, what lies below is compared with
/// where it was. Moves, and what came or went, are told at the end.
///
/// Inodes are compared only if the two roots are the same one; else (a copy, a restored
/// backup) nothing moves. Device numbers are taken relative to the root's, which changes
/// with every mount. Memory: the entries that differ, and the names of directories
/// that wait. `tell` returning false ends it early. Errors: as ResultsFilesystem.
Result<void> compare_trees(const ComparedTree& before, const ComparedTree& after,
                           const std::function<bool(const Difference&)>& tell);

}  // namespace pwalk::tools
