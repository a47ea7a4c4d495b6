#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "fuse_server.h"

namespace pwalk::fuse {

/// One name as a directory reports it, true or not.
struct Listed {
  std::string name;
  ino_t inode = 0;
  unsigned char type = 0;  ///< DT_*
};

/// A directory's whole listing; the offset after entry i is i + 1.
using Listing = std::vector<Listed>;

inline bool is_dot(std::string_view name) {
  return name == "." || name == "..";
}

/// The answer to one READDIR or READDIRPLUS while it is being filled.
class DirentBuffer {
 public:
  /// `size` is the most the kernel takes.
  DirentBuffer(fuse_req_t request, std::size_t size) : request_(request), bytes_(size) {}

  /// False: no room, and nothing was added. `next` is the offset to go on from.
  bool add(const Listed& listed, off_t next) {
    struct stat status {};
    status.st_ino = listed.inode;
    status.st_mode = mode_t(listed.type) << 12;
    return taken(fuse_add_direntry(request_, at(), room(), listed.name.c_str(), &status, next));
  }

  bool has_room_plus(const Listed& listed) const {
    return fuse_add_direntry_plus(request_, nullptr, 0, listed.name.c_str(), nullptr, 0) <= room();
  }

  bool add_plus(const Listed& listed, const fuse_entry_param& entry, off_t next) {
    return taken(fuse_add_direntry_plus(request_, at(), room(), listed.name.c_str(), &entry, next));
  }

  void reply() { fuse_reply_buf(request_, bytes_.data(), used_); }

 private:
  char* at() { return bytes_.data() + used_; }
  std::size_t room() const { return bytes_.size() - used_; }
  bool taken(std::size_t needed) {
    if (needed > room()) return false;
    used_ += needed;
    return true;
  }

  fuse_req_t request_;
  std::vector<char> bytes_;
  std::size_t used_ = 0;
};

}  // namespace pwalk::fuse
