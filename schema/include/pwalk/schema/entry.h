#pragma once

#include <cstdint>
#include <string_view>

#include "pwalk/schema/columns.h"

namespace pwalk::schema {

/// One row on its way into a batch. Its texts are borrowed for the call only.
/// A column whose bit is missing from `known` becomes null (0 in numpy).
struct Entry {
  std::string_view name;  ///< bytes; anything but '/' and NUL, any length
  ColumnSet known;
  std::string_view target, pool;  ///< anything but NUL
  char type = '?';
  Operation operation = Operation::none;
  std::uint32_t flags = 0;  ///< EntryFlag bits
  std::uint32_t error = 0;  ///< errno of `operation`, or 0
  std::uint32_t mode = 0, nlink = 0, uid = 0, gid = 0, rdev = 0, depth = 0;
  std::uint32_t project = 0, stripe_count = 0, mdt = 0;
  std::uint64_t inode = 0, device = 0, size = 0, blocks = 0, mount_id = 0, stripe_size = 0;
  std::int64_t atime = 0, mtime = 0, ctime = 0, btime = 0;
};

/// What is said of one directory once it has been read, or could not be.
struct DirectoryRecord {
  std::uint64_t entries = 0;  ///< rows emitted for it, in all batches
  std::uint64_t bytes = 0;    ///< sum of those rows' sizes, saturated at 2^64-1
  std::uint8_t flags = 0;     ///< DirectoryFlag bits
  std::uint32_t error = 0;
  Operation operation = Operation::none;
};

}  // namespace pwalk::schema
