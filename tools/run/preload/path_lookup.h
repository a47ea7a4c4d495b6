#pragma once

#include <string>

#include "run/preload/call.h"

namespace pwalk::run {

struct LookUp {
  bool follow = true;      ///< a link at the end
  bool empty_ok = false;   ///< AT_EMPTY_PATH
};

/// Where a (directory, path) pair of a call leads.
struct Located {
  bool inside = false;  ///< in the scanned tree
  // Outside: the pair to give to libc.
  int directory = 0;
  const char* path = nullptr;
  // Inside:
  int error = 0;        ///< 0, or an errno; then `entry` is none
  EntryRef entry;
  std::string absolute;  ///< also of what is missing; outside: what `path` may point to

  bool is_directory() const { return inside && error == 0 && entry.is_directory(); }
};

/// Resolves like the kernel, with the image in place of the tree. Links outside the
/// tree that lead into it are not seen.
Located locate(const Call& call, int directory, const char* path, LookUp how = {});

/// Sets the pair that libc gets for a file whose bytes are really wanted.
void point_to_real(Located& where);

}  // namespace pwalk::run
