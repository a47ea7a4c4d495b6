#pragma once

#include <dirent.h>

#include "run/preload/descriptors.h"

namespace pwalk::run {

/// What opendir(3) gives out for a directory of the tree, in place of libc's DIR.
struct DirectoryStream {
  // libc's DIR begins with its descriptor, an int that is never negative; so this
  // tells the two apart.
  static constexpr std::uint64_t kMark = 0xffffffff'70776b00;
  std::uint64_t mark = kMark;
  int fd = -1;
  std::shared_ptr<OpenEntry> open;
  union {
    struct dirent entry;
    // As long as any name; struct dirent's own array is not the limit.
    char room[sizeof(struct dirent) + 4096];
  };

  DirectoryStream(int number, std::shared_ptr<OpenEntry> of) : fd(number), open(std::move(of)), room{} {}

  static DirectoryStream* of(DIR* stream);
  DIR* handle() { return reinterpret_cast<DIR*>(this); }
};

/// One step of reading a directory: fills `into` (of `room` bytes) and moves on.
/// 1: an entry; 0: the end; else a negative errno: -EINVAL, it does not fit; or why the scanner did
/// not get to the end.
int read_entry(const ScannedTree& tree, OpenEntry& open, struct dirent& into, std::size_t room);

/// Moves to a position that telldir() gave.
void seek_entry(OpenEntry& open, std::uint64_t position);

}  // namespace pwalk::run
