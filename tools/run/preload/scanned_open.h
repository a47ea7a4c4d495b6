#pragma once

#include "run/preload/descriptors.h"
#include "run/preload/path_lookup.h"

namespace pwalk::run {

/// What open(2) with these flags does about a place in the tree.
struct Opened {
  int fd = -1;
  int error = 0;
  bool wants_real = false;  ///< let libc open the real file
};
Opened open_scanned(const ScannedTree& tree, const Located& where, int flags);

/// An open description of a directory, read from its beginning. An errno if the scan has it not.
tl::expected<std::shared_ptr<OpenEntry>, int> open_directory(const ScannedTree& tree, const Located& where);

}  // namespace pwalk::run
