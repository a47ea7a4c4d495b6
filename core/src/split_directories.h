#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "dir_reader.h"
#include "directory_node.h"
#include "frontier.h"
#include "pwalk/schema/entry.h"

namespace pwalk {

/// A block of a listing, kept while several workers ask its names' attributes.
struct SharedBlock {
  std::vector<std::byte> bytes;
  std::vector<Dirent> names;  ///< in `bytes`
};

/// Some names of one directory, for one worker.
struct NamePart {
  std::shared_ptr<const SharedBlock> block;
  std::size_t begin = 0, end = 0;  ///< of block->names
};

/// What came of parts, summed up for the directory's record.
struct PartResult {
  std::uint64_t entries = 0, bytes = 0;
  int error = 0;  ///< errno, the first
  schema::Operation operation = schema::Operation::none;
};

/// One large directory whose names are dealt out. Owned by the worker that reads it,
/// who keeps the descriptor pinned until close() has returned.
struct SplitDirectory {
  SplitDirectory(NodePtr directory, int descriptor) : node(std::move(directory)), fd(descriptor) {}

  const NodePtr node;
  const int fd;

 private:
  friend class SplitDirectories;
  // Guarded by SplitDirectories' mutex.
  std::deque<NamePart> waiting;
  unsigned taken = 0;   ///< parts that helpers work on
  bool helped = false;  ///< ever
  PartResult sum;
};

/// The large directories that idle workers help with. Shared by all workers; one
/// mutex, taken once per part, which is some hundred names.
class SplitDirectories {
 public:
  /// `frontier` is told when there is something for its sleepers.
  explicit SplitDirectories(Frontier& frontier) : frontier_(frontier) {}

  /// By the owner: these parts may be taken by anybody.
  void post(SplitDirectory& directory, std::vector<NamePart> parts);
  /// By the owner: takes one itself if more than `leave` wait.
  std::optional<NamePart> take_own(SplitDirectory& directory, std::size_t leave);
  /// By the owner: whether somebody has taken any.
  bool is_helped(const SplitDirectory& directory) const;
  /// By the owner: takes back what waits, waits for what others have taken, and
  /// returns what came of that.
  PartResult close(SplitDirectory& directory);

  struct Help {
    SplitDirectory* directory = nullptr;
    NamePart part;
  };
  /// By an idle worker, who must call done() for it.
  std::optional<Help> take_any();
  void done(SplitDirectory& directory, const PartResult& result);

 private:
  void withdraw(SplitDirectory& directory);

  Frontier& frontier_;
  mutable std::mutex mutex_;
  std::condition_variable finished_;           ///< a part that was taken is done
  std::vector<SplitDirectory*> with_parts_;    ///< those of which parts wait
};

}  // namespace pwalk
