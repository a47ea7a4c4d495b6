#pragma once

#include <sys/stat.h>

#include <array>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "dirent_buffer.h"

namespace pwalk::fuse {

/// What a directory says that is not so.
enum class Lie {
  none,             ///< the honest neighbour of all others
  unknown_type,     ///< DT_UNKNOWN throughout
  wrong_type,       ///< files typed as directories and the other way round
  typed_dots,       ///< `.` and `..` typed as regular files
  no_dots,          ///< neither `.` nor `..`
  zero_inode,       ///< d_ino 0 throughout
  duplicates,       ///< every name twice
  long_names,       ///< names of 1,000 bytes
  slashed_name,     ///< one name with a slash in it
  missing,          ///< names that nothing is found under
  repeat_constant,  ///< the same listing for ever, every entry at the same offset
  repeat_restart,   ///< the last entry's offset leads back to the first
  repeat_growing,   ///< the same names for ever, at offsets that keep growing
};

inline constexpr std::array<std::string_view, 13> kLieNames{
    "honest",          "unknown_type",   "wrong_type",    "typed_dots",   "no_dots",
    "zero_inode",      "duplicates",     "long_names",    "slashed_name", "missing",
    "repeat_constant", "repeat_restart", "repeat_growing"};

/// One object of the tree: what is so (status) and what its directory says (listing).
struct FalseNode {
  std::string name;
  struct stat status {};
  Lie lie = Lie::none;  ///< of a directory: how it behaves when it is read
  FalseNode* parent = nullptr;
  std::map<std::string, FalseNode*, std::less<>> children;
  Listing listing;
};

/// A synthetic tree, immutable once built: below the root one directory for each
/// lie asked for, named for it, and always `honest`. Each holds `files` regular
/// files of 1,000 bytes and a directory `inner` with one file `leaf`, so that it
/// can be told whether a directory hidden behind a lie was still entered.
/// Inode numbers: 1 the root, then as built.
class FalseTree {
 public:
  explicit FalseTree(std::size_t files);
  FalseTree(const FalseTree&) = delete;
  FalseTree& operator=(const FalseTree&) = delete;

  void add(Lie lie);

  FalseNode& node(ino_t number) { return nodes_[std::size_t(number) - 1]; }
  const FalseNode* find(const FalseNode& directory, std::string_view name) const;

 private:
  FalseNode& create(FalseNode& parent, const std::string& name, mode_t mode);
  void tell(FalseNode& directory);

  std::size_t files_;
  std::deque<FalseNode> nodes_;
};

}  // namespace pwalk::fuse
