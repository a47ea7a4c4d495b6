#include "opt_in_reader.h"

#include <fcntl.h>

#include "stripe_layout.h"

namespace pwalk {

using schema::Column;
using schema::Entry;

namespace {

/// An open object, for what is asked of a descriptor only.
class Opened {
 public:
  /// Never waits for a FIFO's other end, never follows a link.
  Opened(const sys::Calls& calls, int directory, const char* name)
      : calls_(calls), fd_(calls.openat(directory, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC)) {}
  ~Opened() {
    if (fd_ >= 0) calls_.close(fd_);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  int fd() const { return fd_; }

 private:
  const sys::Calls& calls_;
  const int fd_;
};

}  // namespace

void OptInReader::enter(Profile profile, std::optional<std::uint32_t> server) {
  profile_ = profile;
  server_ = server;
}

void OptInReader::read(int directory, const char* name, Entry& entry) {
  if (wants(Column::target) && entry.type == 'l') read_target(directory, name, entry);
  if (wants(Column::project) && (entry.type == 'f' || entry.type == 'd')) read_project(directory, name, entry);
  if (entry.type == 'f') read_stripes(directory, name, entry);
  if (server_ && wants_server()) {
    entry.mdt = *server_;
    entry.known.insert(Column::mdt);
  }
}

void OptInReader::read_target(int directory, const char* name, Entry& entry) {
  const long length = calls_.readlinkat(directory, name, target_);
  if (length < 0) return;
  // A server's answer may hold anything; a text column may not hold NUL.
  const std::string_view text(target_.data(), std::size_t(length));
  entry.target = text.substr(0, text.find('\0'));
  entry.known.insert(Column::target);
}

void OptInReader::read_project(int directory, const char* name, Entry& entry) {
  std::uint32_t project = 0;
  int result = by_name_ ? calls_.project_by_name(directory, name, project) : -ENOSYS;
  if (result == -ENOSYS || result == -EPERM) {  // sandboxes answer EPERM for calls they do not know
    by_name_ = false;
    const Opened object(calls_, directory, name);
    result = object.fd() < 0 ? object.fd() : calls_.project_of(object.fd(), project);
  }
  if (result < 0) return;
  entry.project = project;
  entry.known.insert(Column::project);
}

void OptInReader::read_stripes(int directory, const char* name, Entry& entry) {
  if (!wants(Column::stripe_count) && !wants(Column::stripe_size) && !wants(Column::pool)) return;
  if (profile_ == Profile::lustre) read_lustre_stripes(directory, name, entry);
  if (profile_ == Profile::beegfs) read_beegfs_stripes(directory, name, entry);
}

// The call wants a path, and the descriptor's link in /proc leads there without the
// directory's own path, which may be too long.
void OptInReader::read_lustre_stripes(int directory, const char* name, Entry& entry) {
  path_.clear();
  if (directory != AT_FDCWD) path_.append("/proc/self/fd/").append(std::to_string(directory)).append("/");
  path_ += name;
  const long length = calls_.lgetxattr(path_.c_str(), "lustre.lov", layout_);
  if (length < 0 || std::size_t(length) > layout_.size()) return;
  const auto layout = parse_lustre_layout(std::span<const std::byte>(layout_).first(std::size_t(length)));
  if (!layout) return;
  entry.stripe_count = layout->count;
  entry.stripe_size = layout->size;
  for (const Column column : {Column::stripe_count, Column::stripe_size})
    if (wants(column)) entry.known.insert(column);
  if (!wants(Column::pool) || layout->pool.empty()) return;
  entry.pool = layout->pool;
  entry.known.insert(Column::pool);
}

void OptInReader::read_beegfs_stripes(int directory, const char* name, Entry& entry) {
  const Opened file(calls_, directory, name);
  BeegfsStripeInfo info{};
  if (file.fd() < 0 || calls_.ioctl(file.fd(), kBeegfsGetStripeInfo, &info) < 0) return;
  entry.stripe_count = info.targets;
  entry.stripe_size = info.chunk_bytes;
  for (const Column column : {Column::stripe_count, Column::stripe_size})
    if (wants(column)) entry.known.insert(column);
}

}  // namespace pwalk
