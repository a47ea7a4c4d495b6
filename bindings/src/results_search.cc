#include "results_search.h"

namespace pwalk::bindings {

Result<ResultsSearch> ResultsSearch::start(const ResultsFilesystem& results, std::string_view path,
                                           FindConditions conditions) {
  auto walk = TreeWalk::start(results, path, {});
  if (!walk) return tl::unexpected(walk.error());
  return ResultsSearch(*std::move(walk), std::move(conditions));
}

}  // namespace pwalk::bindings
