#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pwalk/image/results_filesystem.h"

namespace pwalk {

struct TreeWalkOptions {
  bool leaving = false;    ///< visit a directory a second time, after everything below it
  bool by_name = false;    ///< siblings in the order of their names' bytes; else as published
  std::uint32_t max_depth = ~std::uint32_t{0};  ///< levels below the start
};

/// Visits a path and everything below it, depth first, a directory before its
/// entries:
///
///     auto walk = TreeWalk::start(results, "/nfs/home", {});
///     for (auto more = walk->next(); more && *more; more = walk->next()) use(walk->path(), walk->entry());
///
/// Nothing is allocated per entry. One thread. Errors of next(): EPROTO, also when an image shows more rows than
/// it has (a forged one could repeat a subtree without end).
class TreeWalk {
 public:
  /// ENOENT, ENOTDIR as ResultsFilesystem::stat.
  static Result<TreeWalk> start(const ResultsFilesystem& results, std::string_view path,
                                const TreeWalkOptions& options);

  /// Moves on; false at the end.
  Result<bool> next();

  std::string_view path() const { return path_; }  ///< valid until next()
  EntryRef entry() const { return entry_; }
  std::uint32_t depth() const { return depth_; }   ///< 0 for the start
  bool leaving() const { return leaving_; }

  /// What the scan said of the directory that is being visited, or none.
  /// Requires entry().is_directory().
  Result<const Listing*> listing();
  /// Does not enter the directory just visited.
  void skip() { entering_ = false; }
  /// next() will enter the directory just visited.
  bool entering() const { return entering_ && !leaving_ && depth_ < options_.max_depth; }

 private:
  struct Frame {
    Listing listing;
    std::vector<EntryRef> sorted;  // by_name only
    Listing::Iterator at;
    std::size_t next_sorted = 0;
    std::size_t path_length = 0;
    EntryRef directory;
  };
  TreeWalk(const ResultsFilesystem& results, const TreeWalkOptions& options)
      : results_(results), options_(options) {}
  Result<bool> advance();
  Result<void> enter();
  bool step(Frame& frame);

  ResultsFilesystem results_;
  TreeWalkOptions options_;
  std::vector<Frame> frames_;  // kept, so that their memory is reused; `open_` of them are live
  std::size_t open_ = 0;
  std::string path_;
  EntryRef entry_;
  std::uint32_t depth_ = 0;
  std::uint64_t visited_ = 0;
  bool started_ = false, leaving_ = false, entering_ = false, listed_ = false;
};

}  // namespace pwalk
