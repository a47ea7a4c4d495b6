#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "pwalk/schema/entry.h"

namespace pwalk {

/// A directory as it was just found: which object, and when it was last changed.
struct DirectoryLook {
  std::uint64_t device = 0, inode = 0;
  std::int64_t mtime = 0, ctime = 0;  ///< ns since 1970 UTC
};

/// One worker's way through what is known. One thread.
class KnownDirectories {
 public:
  virtual ~KnownDirectories() = default;

  /// Goes to the first entry of the directory `path` (as rows show it, empty for `/`). False:
  /// it is not known, or does not look as it did; then it has to be read. The same question
  /// gets the same answer.
  virtual bool open(std::string_view path, const DirectoryLook& now) = 0;

  // After an open() that was true:

  /// Some entry is a directory.
  virtual bool has_directories() const = 0;
  /// Leaves so many entries out.
  virtual void skip(std::uint64_t entries) = 0;
  /// The next entry as it was, valid until the next call; its depth is the caller's affair.
  /// False at the end.
  virtual bool next(schema::Entry& entry) = 0;
};

/// What an earlier scan knew of a tree, for a walk that believes times: a directory that
/// looks as it did is not read, its rows are told again, and only the directories in it are
/// asked about and entered. Thread-safe; outlives the walk.
class KnownTree {
 public:
  virtual ~KnownTree() = default;
  virtual std::unique_ptr<KnownDirectories> reader() const = 0;
};

}  // namespace pwalk
