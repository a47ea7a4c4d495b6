#pragma once

#include <string>
#include <string_view>

#include "pwalk/base/result.h"

namespace pwalk::image {

/// A path taken apart.
struct SplitPath {
  std::string_view directory;  ///< as batches store it: "" for `/`
  std::string_view name;       ///< "" for `/` itself
};

/// An absolute path in the form rows have: one slash between names, "." and ".."
/// resolved as text, no trailing slash except in "/". `storage` holds the result where
/// `path` is not already that; `directory_wanted` is set if it ended in a slash or a dot.
/// EINVAL: not absolute, or with a NUL.
Result<std::string_view> resolve_path(std::string_view path, std::string& storage, bool& directory_wanted);

/// One of its names is "..".
bool goes_up(std::string_view path);

/// Of a resolved path.
SplitPath split_path(std::string_view resolved);

/// How batches name the directory that has this resolved path.
inline std::string_view as_directory(std::string_view resolved) { return resolved == "/" ? "" : resolved; }

}  // namespace pwalk::image
