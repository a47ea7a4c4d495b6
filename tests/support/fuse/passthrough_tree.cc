#include "passthrough_tree.h"

#include <dirent.h>
#include <fcntl.h>

#include <array>
#include <climits>

namespace pwalk::fuse {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

}  // namespace

Result<void> PassthroughTree::open(const std::string& source) {
  root_.directory.reset(::open(source.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root_.directory) return fail_errno("cannot open '" + source + "'");
  return {};
}

Result<PassthroughTree::Found> PassthroughTree::look_up(PassthroughNode& parent, const char* name) {
  Found found{};
  if (fstatat(parent.directory.get(), name, &found.status, AT_SYMLINK_NOFOLLOW) != 0) return fail_errno(name);
  UniqueFd directory;
  if (S_ISDIR(found.status.st_mode)) {
    directory.reset(openat(parent.directory.get(), name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) return fail_errno(name);
  }
  const std::lock_guard lock(mutex_);
  std::unique_ptr<PassthroughNode>& child = parent.children[name];
  if (!child) {
    child = std::make_unique<PassthroughNode>();
    child->parent = &parent;
    child->name = name;
    child->directory = std::move(directory);
  }
  ++child->lookups;
  found.node = child.get();
  return found;
}

void PassthroughTree::forget(PassthroughNode& node, std::uint64_t lookups) {
  const std::lock_guard lock(mutex_);
  node.lookups -= lookups;
  PassthroughNode* unused = &node;
  while (unused->parent && unused->lookups == 0 && unused->children.empty()) {
    PassthroughNode* parent = unused->parent;
    parent->children.erase(parent->children.find(unused->name));
    unused = parent;
  }
}

Result<struct stat> PassthroughTree::status(const PassthroughNode& node) const {
  struct stat status {};
  const bool own = bool(node.directory);
  const int fd = own ? node.directory.get() : node.parent->directory.get();
  if (fstatat(fd, own ? "" : node.name.c_str(), &status, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0)
    return fail_errno(node.name);
  return status;
}

Result<Listing> PassthroughTree::list(const PassthroughNode& node) {
  UniqueFd fd(openat(node.directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(node.name);
  const std::unique_ptr<DIR, CloseDirectory> directory(fdopendir(fd.get()));
  if (!directory) return fail_errno(node.name);
  fd.release();
  Listing listing;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (!entry) break;
    listing.push_back({entry->d_name, entry->d_ino, entry->d_type});
  }
  if (errno != 0) return fail_errno(node.name);
  return listing;
}

Result<std::string> PassthroughTree::read_link(const PassthroughNode& node) {
  std::array<char, PATH_MAX> target;
  const ssize_t length =
      readlinkat(node.parent->directory.get(), node.name.c_str(), target.data(), target.size());
  if (length < 0) return fail_errno(node.name);
  return std::string(target.data(), std::size_t(length));
}

}  // namespace pwalk::fuse
