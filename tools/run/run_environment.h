#pragma once

/// What `pwalk run` tells the library it preloads: environment variables, which every
/// program started below it inherits.
namespace pwalk::run {

inline constexpr const char* kImageVariable = "PWALK_RUN_IMAGE";        ///< the image's file
inline constexpr const char* kContentsVariable = "PWALK_RUN_CONTENTS";  ///< "real" or "refuse"
inline constexpr const char* kDirectoryVariable = "PWALK_RUN_CWD";      ///< the working directory, if it is in the tree
inline constexpr const char* kPreloadVariable = "LD_PRELOAD";
inline constexpr const char* kLibraryName = "libpwalk_run.so";

}  // namespace pwalk::run
