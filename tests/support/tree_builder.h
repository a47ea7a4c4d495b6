#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pwalk::testing {

/// The seed of this run's random tests: PWALK_TEST_SEED, or a new one. Printed once,
/// so that a failure can be replayed.
std::uint64_t test_seed();

/// A directory of its own, removed with all that is in it. On tmpfs where there
/// is one: it takes extreme times and sizes.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view below) const { return path_ + "/" + std::string(below); }

  void make_directory(std::string_view below, unsigned mode = 0755) const;
  void make_file(std::string_view below, std::uint64_t size = 0) const;
  void make_link(std::string_view target, std::string_view below) const;

 private:
  std::string path_;
};

/// Fills an empty directory with what a walker can meet: every byte in names,
/// 255-byte names, names that look like options, invalid UTF-8, hard links,
/// symbolic links that loop and dangle, FIFOs, sockets, sparse files of nearly
/// 2^63 bytes, times before 1970 and past 2262, a narrow chain beyond PATH_MAX.
/// The same seed gives the same tree.
void build_hostile_tree(const std::string& root, std::uint64_t seed);

/// A chain of `depth` directories below `root`, each with a name of `name_bytes`,
/// and `extra` empty directories beside each step. Returns how many were made.
std::uint64_t build_chain(const std::string& root, unsigned depth, unsigned name_bytes, unsigned extra = 0);

/// What GNU find says of a tree, in the walker's terms: an oracle that shares no
/// code with it.
struct FoundEntry {
  char type = '?';
  std::uint64_t inode = 0, device = 0, size = 0, blocks = 0;
  std::uint32_t mode = 0, nlink = 0, uid = 0, gid = 0, depth = 0;
  std::int64_t mtime = 0;  ///< ns, clamped to int64
};
/// `options` come before the path (-H -L), `tests` behind it (-xdev, -maxdepth 2).
std::multimap<std::string, FoundEntry> run_find(const std::string& root, const std::vector<std::string>& options = {},
                                                const std::vector<std::string>& tests = {});

}  // namespace pwalk::testing
