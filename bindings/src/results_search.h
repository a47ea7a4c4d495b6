#pragma once

#include <string>
#include <vector>

#include "pwalk/image/find.h"
#include "pwalk/image/tree_walk.h"

namespace pwalk::bindings {

/// Paths of a tree that meet conditions, in portions. No Python; one thread.
class ResultsSearch {
 public:
  static Result<ResultsSearch> start(const ResultsFilesystem& results, std::string_view path, FindConditions conditions);

  /// Appends up to `most` paths; ends early when `stop` says so. False: that was all. Errors: EPROTO.
  template <class Stop>
  Result<bool> next(std::size_t most, std::vector<std::string>& paths, Stop&& stop) {
    while (paths.size() < most) {
      if (stop()) return true;
      const auto more = walk_.next();
      if (!more || !*more) return more;
      if (conditions_.are_met_by(walk_.entry())) paths.emplace_back(walk_.path());
    }
    return true;
  }

 private:
  ResultsSearch(TreeWalk walk, FindConditions conditions)
      : walk_(std::move(walk)), conditions_(std::move(conditions)) {}
  TreeWalk walk_;
  FindConditions conditions_;
};

}  // namespace pwalk::bindings
