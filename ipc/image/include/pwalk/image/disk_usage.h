#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_set>

#include "pwalk/image/results_filesystem.h"

namespace pwalk {

/// What a subtree takes; sums saturate.
struct DiskUsage {
  std::uint64_t inodes = 0;
  std::uint64_t apparent_bytes = 0;   ///< sizes of everything, directories too
  std::uint64_t allocated_bytes = 0;  ///< blocks × 512

  void add(const DiskUsage& other);
};

/// What has been counted, so that an inode with several names counts once.
class CountedInodes {
 public:
  /// Every entry is told apart, not only those with several links: for starting
  /// points that may lie in one another.
  explicit CountedInodes(bool every_entry = false) : every_entry_(every_entry) {}
  /// False: the entry's inode was counted before.
  bool count(const EntryRef& entry);

 private:
  struct Inode {
    std::uint64_t device, number;
    bool operator==(const Inode&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Inode& inode) const { return inode.number * 0x9e3779b97f4a7c15u ^ inode.device; }
  };
  bool every_entry_;
  std::unordered_set<Inode, Hash> seen_;
};

/// Told of every entry once what is below it has been summed up: directories after
/// their entries. `usage` includes the entry itself.
struct UsageReport {
  std::string_view path;  ///< valid during the call
  std::uint32_t depth = 0;
  EntryRef entry;
  const DiskUsage& usage;
  /// Of a directory: what the scan said of its reading, or nullptr.
  const schema::DirectoryRecord* record = nullptr;
};

/// Sums up what `path` and everything below it take. Entries that could not be
/// stat'ed are reported with nothing in `usage`, but not counted. `report` returning false
/// ends it early. Errors: as TreeWalk.
Result<DiskUsage> disk_usage(const ResultsFilesystem& results, std::string_view path, CountedInodes& counted,
                             const std::function<bool(const UsageReport&)>& report = {});

}  // namespace pwalk
