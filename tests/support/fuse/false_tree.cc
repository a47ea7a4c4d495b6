#include "false_tree.h"

#include <dirent.h>

namespace pwalk::fuse {
namespace {

constexpr mode_t kDirectoryMode = S_IFDIR | 0755;
constexpr mode_t kFileMode = S_IFREG | 0644;

/// "f00042", or the same padded to 1,000 bytes.
std::string file_name(Lie lie, std::size_t number) {
  std::string name = std::to_string(number);
  name = "f" + std::string(5 - std::min<std::size_t>(5, name.size()), '0') + name;
  if (lie == Lie::long_names) name.resize(1000, 'x');
  return name;
}

unsigned char told_type(Lie lie, mode_t mode) {
  const bool directory = S_ISDIR(mode);
  if (lie == Lie::unknown_type) return DT_UNKNOWN;
  if (lie == Lie::wrong_type) return directory ? DT_REG : DT_DIR;
  return directory ? DT_DIR : DT_REG;
}

}  // namespace

FalseTree::FalseTree(std::size_t files) : files_(files) {
  FalseNode& root = nodes_.emplace_back();
  root.parent = &root;
  root.status.st_ino = 1;
  root.status.st_mode = kDirectoryMode;
  root.status.st_nlink = 2;
  tell(root);
  add(Lie::none);
}

void FalseTree::add(Lie lie) {
  FalseNode& directory = create(nodes_.front(), std::string(kLieNames[std::size_t(lie)]), kDirectoryMode);
  directory.lie = lie;
  for (std::size_t i = 0; i < files_; ++i) create(directory, file_name(lie, i), kFileMode);
  FalseNode& inner = create(directory, "inner", kDirectoryMode);
  create(inner, "leaf", kFileMode);
  tell(inner);
  tell(directory);
  tell(nodes_.front());
}

FalseNode& FalseTree::create(FalseNode& parent, const std::string& name, mode_t mode) {
  FalseNode& node = nodes_.emplace_back();
  node.name = name;
  node.parent = &parent;
  node.status.st_ino = nodes_.size();
  node.status.st_mode = mode;
  node.status.st_nlink = S_ISDIR(mode) ? 2 : 1;
  node.status.st_size = S_ISDIR(mode) ? 0 : 1000;
  parent.children[name] = &node;
  return node;
}

/// Makes the listing from the children: the truth first, then the lie.
void FalseTree::tell(FalseNode& directory) {
  const Lie lie = directory.lie;
  const unsigned char dots = lie == Lie::typed_dots ? DT_REG : DT_DIR;
  directory.listing.clear();
  if (lie != Lie::no_dots)
    directory.listing = {{".", directory.status.st_ino, dots}, {"..", directory.parent->status.st_ino, dots}};
  for (const auto& [name, child] : directory.children) {
    const ino_t inode = lie == Lie::zero_inode ? 0 : child->status.st_ino;
    const Listed listed{name, inode, told_type(lie, child->status.st_mode)};
    directory.listing.push_back(listed);
    if (lie == Lie::duplicates) directory.listing.push_back(listed);
  }
  if (lie == Lie::slashed_name) directory.listing.push_back({"in/side", 99, DT_REG});
  if (lie == Lie::missing) directory.listing.push_back({"nobody", 99, DT_REG});
}

const FalseNode* FalseTree::find(const FalseNode& directory, std::string_view name) const {
  if (name == ".") return &directory;
  if (name == "..") return directory.parent;
  const auto found = directory.children.find(name);
  return found == directory.children.end() ? nullptr : found->second;
}

}  // namespace pwalk::fuse
