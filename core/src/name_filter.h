#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "glob.h"
#include "name_matcher.h"
#include "pwalk/base/result.h"

namespace pwalk {

/// What is known of an entry when its name is judged.
enum class EntryKind : unsigned char { unknown, directory, other };

/// Which names are left out: snapshot directories, --filter-names, --exclude, --include. Says
/// nothing of errors, so it can be asked before anything is stat'ed. Immutable:
/// shared by all workers.
class NameFilter {
 public:
  /// EINVAL: a bad glob; the message names it.
  static Result<NameFilter> make(const std::vector<std::string>& exclude,
                                 const std::vector<std::string>& include, bool ignore_snapshots,
                                 const std::vector<std::string>& directory_names = {});

  /// True if the entry gets no row (and, a directory, is not entered). `name` is
  /// its last component; `path` is relative to its root and is only looked at if
  /// needs_path(). With EntryKind::unknown it says no more than the name allows:
  /// ask again when the kind is known.
  bool leaves_out(std::string_view name, std::string_view path, EntryKind kind) const {
    if (kind == EntryKind::directory && (is_snapshot(name) || is_listed(name))) return true;
    return active_ && globs_leave_out(name, path, kind);
  }

  bool needs_path() const { return needs_path_; }

  /// How globs on names are matched; empty if there are none.
  std::string explain() const;

 private:
  /// Globs on names and on paths, apart, so that each gets its own subject.
  struct Globs {
    NameMatcher names;
    std::vector<Glob> paths;
    bool empty() const { return names.empty() && paths.empty(); }
    bool match(std::string_view name, std::string_view path) const;
  };
  static Result<Globs> compile(const std::vector<std::string>& patterns);

  bool is_snapshot(std::string_view name) const {
    return ignore_snapshots_ && name.front() == '.' &&
           (name == ".snapshot" || name == ".snapshots" || name == ".zfs");
  }
  bool is_listed(std::string_view name) const {
    return !directory_names_.empty() && directory_names_.find(name) != directory_names_.end();
  }
  bool globs_leave_out(std::string_view name, std::string_view path, EntryKind kind) const;

  Globs exclude_, include_;
  std::set<std::string, std::less<>> directory_names_;
  bool ignore_snapshots_ = true;
  bool active_ = false;
  bool needs_path_ = false;
};

/// The globs of an --exclude-from file: one per line; blank lines and lines that
/// begin with '#' are left out ('\#' begins a glob with '#'). Other bytes count,
/// spaces at either end included.
std::vector<std::string> glob_lines(std::string_view text);

}  // namespace pwalk
