#include "path_cursor.h"

namespace pwalk {

std::string_view PathCursor::move_to(const NodePtr& node, std::string_view root_path) {
  missing_.clear();
  const DirectoryNode* shared = node.get();
  for (; shared; shared = shared->parent()) {
    if (shared->depth() < chain_.size() && chain_[shared->depth()].node == shared) break;
    missing_.push_back(shared);
  }
  chain_.resize(shared ? shared->depth() + 1 : 0, Step{});
  path_.resize(chain_.empty() ? 0 : chain_.back().end);
  for (; !missing_.empty(); missing_.pop_back()) {
    const DirectoryNode* next = missing_.back();
    if (next->parent())
      path_.append("/").append(next->name_view());
    else
      path_.assign(root_path == "/" ? "" : root_path);  // batches carry `/` as the empty path
    chain_.push_back({next, path_.size()});
  }
  current_ = node;
  return path_;
}

std::string_view PathCursor::below_root() const {
  const std::size_t root_end = chain_.front().end;
  return std::string_view(path_).substr(path_.size() > root_end ? root_end + 1 : root_end);
}

}  // namespace pwalk
