#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "sys/calls.h"

namespace pwalk {

/// One name of a directory, in the reader's buffer until its next fill().
struct Dirent {
  std::string_view name;      ///< followed by a NUL; not empty, no '/', any length
  unsigned char type = 0;     ///< DT_*, as the filesystem claims
};

/// Finds a listing that comes round again: an NFS or FUSE server that hands out
/// the same names for ever. Brent's algorithm on the signatures of blocks, so a
/// cycle of any length is seen within three rounds, at 24 bytes of state.
class ListingCycle {
 public:
  /// Notes a block; true if it was already seen where no listing can repeat.
  bool repeats(std::uint64_t signature);

  /// What tells one block from every other of its directory: the names and inode
  /// numbers of its first records. d_off is left out: it is opaque, and a server
  /// may count it up for ever.
  static std::uint64_t signature_of(std::span<const std::byte> block);

 private:
  std::uint64_t mark_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t span_ = 1;
  bool marked_ = false;
};

/// How far one directory has been read. Belongs to the directory, not to the
/// reader, so that another directory can be read in between.
struct ListingPosition {
  std::int64_t next = 0;   ///< d_off behind the last name handed out
  bool started = false;
  std::uint32_t refused = 0;  ///< names no filesystem may give: empty, or with a '/'
  ListingCycle cycle;
};

/// Reads directories block by block and takes nothing in a block on trust: each
/// record must lie inside what was read and hold its name's NUL. One per worker.
class DirReader {
 public:
  /// `use_getdents` false: through readdir(3), repacked into the same records.
  DirReader(const sys::Calls& calls, std::size_t buffer_bytes, bool use_getdents);
  ~DirReader();
  DirReader(const DirReader&) = delete;
  DirReader& operator=(const DirReader&) = delete;

  /// Reads the next block of the directory open on `fd`. 1: names may follow;
  /// 0: the end; negative: an errno, -ELOOP if the listing makes no progress.
  /// At most `limit` bytes are read (0: the whole buffer).
  int fill(int fd, ListingPosition& position, std::size_t limit = 0);

  /// The next name of the block, without `.` and `..`; false at its end.
  bool next(Dirent& entry, ListingPosition& position);

  /// The whole block, as it was read.
  std::span<const std::byte> block() const { return {buffer_.get(), filled_}; }

  /// errno if the block ended in a record that cannot be, else 0.
  int damage() const { return damage_; }

  /// Call before another directory.
  void leave();

  /// Call when the descriptor was renewed in the middle of a block: what was read
  /// stays, what comes next is read through the new one.
  void forget_stream();

 private:
  long fill_from_stream(int fd, const ListingPosition& position, std::size_t limit);

  const sys::Calls& calls_;
  const std::size_t size_;
  const bool use_getdents_;
  const std::unique_ptr<std::byte[]> buffer_;
  std::size_t filled_ = 0, at_ = 0;
  int damage_ = 0;
  ::DIR* stream_ = nullptr;
  const ::dirent* held_ = nullptr;  ///< read from the stream, but the block was full
};

}  // namespace pwalk
