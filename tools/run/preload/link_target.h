#pragma once

#include <string>

#include "run/preload/scanned_tree.h"

namespace pwalk::run {

/// The text of a link in the tree, without a look at the real one unless contents are
/// real. kNotInImage: the scan did not record it.
tl::expected<std::string, int> link_target(const ScannedTree& tree, const std::string& path, const EntryRef& link);

}  // namespace pwalk::run
