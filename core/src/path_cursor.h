#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "directory_node.h"

namespace pwalk {

/// The path of the directory a worker is in, put together from its node. Moving
/// to a neighbour keeps what both share, so that the cost is that of the new
/// components and not of the depth: a chain of 10,000 is linear.
class PathCursor {
 public:
  /// Path of `node`, whose root's path is `root_path`; empty for `/`. Valid until
  /// the next move.
  std::string_view move_to(const NodePtr& node, std::string_view root_path);

  /// The current path without its root's, and without a slash in front.
  std::string_view below_root() const;

 private:
  struct Step {
    const DirectoryNode* node;
    std::size_t end;  ///< of its path
  };
  NodePtr current_;           ///< keeps every node of chain_ alive
  std::vector<Step> chain_;   ///< from the root to the current node: index is depth
  std::vector<const DirectoryNode*> missing_;  ///< scratch of move_to
  std::string path_;
};

}  // namespace pwalk
