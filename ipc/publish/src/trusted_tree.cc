#include "trusted_tree.h"

#include <string>

namespace pwalk::publish {
namespace {

using schema::Column;

bool is_as_it_was(const EntryRef& before, const DirectoryLook& now) {
  for (const Column column : {Column::device, Column::inode, Column::mtime, Column::ctime})
    if (!before.has(column)) return false;
  return before.is_directory() && before.error() == 0 && !(before.flags() & schema::kSaturated) &&
         before.get<std::uint64_t>(Column::device) == now.device && before.get<std::uint64_t>(Column::inode) == now.inode &&
         before.get<std::int64_t>(Column::mtime) == now.mtime && before.get<std::int64_t>(Column::ctime) == now.ctime;
}

class Reader final : public KnownDirectories {
 public:
  explicit Reader(const ResultsFilesystem& before)
      : before_(before),
        latest_(before.facts().started_ns - std::chrono::nanoseconds(kTimesMayBeCoarse).count()) {}

  bool open(std::string_view path, const DirectoryLook& now) override {
    if (now.mtime >= latest_ || now.ctime >= latest_) return false;
    path_ = path.empty() ? "/" : path;
    const auto entry = before_.stat(path_);
    if (!entry || !is_as_it_was(*entry, now)) return false;
    if (!before_.list(path_, listing_) || !look_through()) return false;
    at_ = listing_.begin();
    return true;
  }

  bool has_directories() const override { return has_directories_; }

  void skip(std::uint64_t entries) override {
    for (; entries != 0 && at_ != listing_.end(); --entries) ++at_;
  }

  bool next(schema::Entry& entry) override {
    if (at_ == listing_.end()) return false;
    entry = (*at_).load();
    ++at_;
    return true;
  }

 private:
  /// Everything that was in the directory is there, and nothing about it is unknown.
  bool look_through() {
    const auto& record = listing_.record();
    if (!record || record->error != 0 || !(record->flags & schema::kComplete)) return false;
    if (listing_.size() != record->entries) return false;
    has_directories_ = false;
    for (const EntryRef entry : listing_) {
      if (entry.error() != 0 || entry.type() == '?') return false;
      has_directories_ |= entry.is_directory();
    }
    return true;
  }

  const ResultsFilesystem& before_;
  const std::int64_t latest_;  ///< times from here on are not believed
  std::string path_;
  Listing listing_;
  Listing::Iterator at_;
  bool has_directories_ = false;
};

}  // namespace

std::unique_ptr<KnownDirectories> TrustedTree::reader() const { return std::make_unique<Reader>(before_); }

}  // namespace pwalk::publish
