#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pwalk/image/results_filesystem.h"

namespace pwalk::run {

/// What open(2) and readlink(2) do about what an image does not have: bytes of files.
enum class Contents : std::uint8_t { refuse, real };

/// What the image does not know: a file's bytes, a link's target, a directory that the
/// scan did not enter.
inline constexpr int kNotInImage = ENODATA;

/// The tree that the program sees in place of the real one. One per process, opened by
/// the first call and never closed. Thread-safe.
class ScannedTree {
 public:
  /// nullptr: this process does not run below `pwalk run`. An image that cannot be
  /// opened ends the process with a line and exit code 3.
  static const ScannedTree* instance();

  /// An absolute path without "." and ".." is a root or lies below one.
  bool covers(std::string_view path) const;
  /// Such a path is above a root, so that relative paths from there may lead into the tree.
  bool leads_to(std::string_view path) const;
  /// The path of an ancestor of a root that is this very directory; empty: none.
  std::string ancestor_at(std::uint64_t device, std::uint64_t inode) const;

  /// The row of a covered path; otherwise an errno.
  tl::expected<EntryRef, int> find(const std::string& path) const;
  /// Its entries: an errno if the scan has them not.
  tl::expected<Listing, int> list(const std::string& path) const;

  const ResultsFilesystem& results() const { return results_; }
  Contents contents() const { return contents_; }
  const std::string& image_file() const { return results_.file(); }
  /// What LD_PRELOAD has to hold for a program that this one starts.
  const std::string& preload() const { return preload_; }

 private:
  struct Ancestor {
    std::uint64_t device, inode;
    std::string path;
  };
  ScannedTree(ResultsFilesystem results, Contents contents);
  static const ScannedTree* open();
  void find_ancestors(const std::string& root);

  ResultsFilesystem results_;
  Contents contents_;
  std::string preload_;
  std::vector<Ancestor> ancestors_;
};

}  // namespace pwalk::run
