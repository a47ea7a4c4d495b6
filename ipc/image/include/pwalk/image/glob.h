#pragma once

#include <functional>
#include <string_view>

#include "pwalk/image/results_filesystem.h"

namespace pwalk {

/// Finds the paths that an absolute shell pattern matches, as bash does with
/// globstar: `*`, `?` and `[...]` stay within one component and do not match a
/// leading dot; `**` as a component stands for any number of directories whose
/// names have none; a slash at the end asks for directories and for links to them, and
/// their paths end with it, too. Siblings come in the order of their names. A component without
/// a wildcard is looked up, not searched for. `visit` returning false ends it early.
/// Errors: EINVAL, not absolute; those of ResultsFilesystem.
Result<void> glob(const ResultsFilesystem& results, std::string_view pattern,
                  const std::function<bool(std::string_view path, const EntryRef& entry)>& visit);

}  // namespace pwalk
