#include "run/preload/link_target.h"

#include <limits.h>
#include <unistd.h>

#include "run/preload/real_call.h"

namespace pwalk::run {

tl::expected<std::string, int> link_target(const ScannedTree& tree, const std::string& path, const EntryRef& link) {
  if (link.error() != 0) return tl::unexpected(int(link.error()));
  if (link.has(schema::Column::target)) return std::string(link.text(schema::Column::target));
  if (tree.contents() == Contents::refuse) return tl::unexpected(kNotInImage);
  char text[PATH_MAX];
  const ssize_t length = PWALK_REAL(readlink)(path.c_str(), text, sizeof text);
  if (length < 0) return tl::unexpected(errno);
  return std::string(text, std::size_t(length));
}

}  // namespace pwalk::run
