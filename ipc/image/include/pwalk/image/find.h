#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pwalk/image/results_filesystem.h"

namespace pwalk {

/// What find() asks of an entry; what is not set is not asked. A value that is not known meets no
/// condition on it.
struct FindConditions {
  std::string types{};                       ///< find's letters, any of them; empty: any type
  std::optional<std::string> name{};         ///< shell pattern
  std::vector<std::string> suffixes{};       ///< of the name, any of them
  std::optional<std::uint64_t> larger{}, smaller{};  ///< bytes
  std::optional<std::int64_t> older{}, newer{};  ///< mtime, ns
  std::optional<std::uint32_t> owner{}, group{};

  bool are_met_by(const EntryRef& entry) const;
};

/// Visits `path` and everything below it that meets the conditions, depth first. `visit` returning false ends
/// it early. For anything else a condition could be there is TreeWalk. Errors: as TreeWalk.
Result<void> find(const ResultsFilesystem& results, std::string_view path, const FindConditions& conditions,
                  const std::function<bool(std::string_view path, const EntryRef& entry)>& visit);

}  // namespace pwalk
