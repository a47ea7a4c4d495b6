#include "run/preload/scanned_open.h"

#include <fcntl.h>

namespace pwalk::run {
namespace {

constexpr bool asks_to_write(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC || (flags & O_TMPFILE) == O_TMPFILE;
}

Opened finish(tl::expected<int, int> fd) { return fd ? Opened{.fd = *fd} : Opened{.error = fd.error()}; }

Opened open_path_only(const Located& where, int flags) {
  auto open = std::make_shared<OpenEntry>();
  open->path = where.absolute;
  open->entry = where.entry;
  open->path_only = true;
  return finish(descriptors().open(std::move(open), flags));
}

}  // namespace

tl::expected<std::shared_ptr<OpenEntry>, int> open_directory(const ScannedTree& tree, const Located& where) {
  if (where.error) return tl::unexpected(where.error);
  if (!where.entry.is_directory()) return tl::unexpected(ENOTDIR);
  auto listing = tree.list(where.absolute);
  if (!listing) return tl::unexpected(listing.error());
  auto open = std::make_shared<OpenEntry>();
  open->path = where.absolute;
  open->entry = where.entry;
  open->listing = *std::move(listing);
  return open;
}

Opened open_scanned(const ScannedTree& tree, const Located& where, int flags) {
  if (where.error == ENOENT && flags & O_CREAT) return {.error = EROFS};
  if (where.error) return {.error = where.error};
  if (flags & O_CREAT && flags & O_EXCL) return {.error = EEXIST};
  if (flags & O_PATH) {
    if (flags & O_DIRECTORY && !where.entry.is_directory()) return {.error = ENOTDIR};
    return open_path_only(where, flags);
  }
  if (flags & O_DIRECTORY && !where.entry.is_directory()) return {.error = ENOTDIR};
  if (where.entry.type() == 'l') return {.error = ELOOP};
  if (asks_to_write(flags)) return {.error = where.entry.is_directory() ? EISDIR : EROFS};
  if (!where.entry.is_directory())
    return tree.contents() == Contents::real ? Opened{.wants_real = true} : Opened{.error = kNotInImage};
  auto open = open_directory(tree, where);
  if (!open) return {.error = open.error()};
  return finish(descriptors().open(*std::move(open), flags));
}

}  // namespace pwalk::run
