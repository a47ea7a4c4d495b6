#include "pwalk/image/disk_usage.h"

#include <utility>
#include <vector>

#include "pwalk/image/tree_walk.h"

namespace pwalk {
namespace {

using schema::Column;

void add_saturated(std::uint64_t& sum, std::uint64_t more) {
  if (__builtin_add_overflow(sum, more, &sum)) sum = ~std::uint64_t{0};
}

DiskUsage usage_of(const EntryRef& entry) {
  DiskUsage usage;
  usage.inodes = 1;
  usage.apparent_bytes = entry.get<std::uint64_t>(Column::size);
  if (__builtin_mul_overflow(entry.get<std::uint64_t>(Column::blocks), 512u, &usage.allocated_bytes))
    usage.allocated_bytes = ~std::uint64_t{0};
  return usage;
}

/// Sums per level of the walk: a directory's own level is added to its parent's when
/// it is left.
class Summation {
 public:
  Summation(TreeWalk& walk, CountedInodes& counted, const std::function<bool(const UsageReport&)>& report)
      : walk_(walk), counted_(counted), report_(report) {}

  Result<DiskUsage> run() {
    sums_.assign(1, {});
    for (;;) {
      const auto more = walk_.next();
      if (!more) return tl::unexpected(more.error());
      if (!*more) return sums_[0];
      const bool go_on = walk_.leaving() ? leave() : meet();
      if (!go_on) return sums_[0];
    }
  }

 private:
  /// A new entry; a directory opens the level below.
  bool meet() {
    const EntryRef entry = walk_.entry();
    const bool failed = entry.error() != 0;
    if (!failed && !counted_.count(entry)) {
      skipped_ = entry.is_directory();
      walk_.skip();
      return true;
    }
    const DiskUsage own = failed ? DiskUsage{} : usage_of(entry);
    if (entry.is_directory()) {
      if (failed) walk_.skip();
      sums_.resize(walk_.depth() + 2);
      sums_[walk_.depth() + 1] = own;
      return true;
    }
    sums_[walk_.depth()].add(own);
    return report(own, nullptr);
  }

  bool leave() {
    if (std::exchange(skipped_, false)) return true;  // left at once, since it was counted before
    const DiskUsage total = sums_[walk_.depth() + 1];
    sums_[walk_.depth()].add(total);
    const schema::DirectoryRecord* record = nullptr;
    if (const auto listing = walk_.listing(); listing && (*listing)->record()) record = &*(*listing)->record();
    return report(total, record);
  }

  bool report(const DiskUsage& usage, const schema::DirectoryRecord* record) {
    return !report_ || report_({walk_.path(), walk_.depth(), walk_.entry(), usage, record});
  }

  TreeWalk& walk_;
  CountedInodes& counted_;
  const std::function<bool(const UsageReport&)>& report_;
  std::vector<DiskUsage> sums_;
  bool skipped_ = false;
};

}  // namespace

void DiskUsage::add(const DiskUsage& other) {
  add_saturated(inodes, other.inodes);
  add_saturated(apparent_bytes, other.apparent_bytes);
  add_saturated(allocated_bytes, other.allocated_bytes);
}

bool CountedInodes::count(const EntryRef& entry) {
  const bool several = !entry.is_directory() && entry.get<std::uint32_t>(Column::nlink) > 1;
  if (!several && !every_entry_) return true;
  return seen_.insert({entry.get<std::uint64_t>(Column::device), entry.get<std::uint64_t>(Column::inode)}).second;
}

Result<DiskUsage> disk_usage(const ResultsFilesystem& results, std::string_view path, CountedInodes& counted,
                             const std::function<bool(const UsageReport&)>& report) {
  auto walk = TreeWalk::start(results, path, {.leaving = true});
  if (!walk) return tl::unexpected(walk.error());
  return Summation(*walk, counted, report).run();
}

}  // namespace pwalk
