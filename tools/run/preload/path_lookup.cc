#include "run/preload/path_lookup.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <string_view>

#include "run/preload/descriptors.h"
#include "run/preload/link_target.h"
#include "run/preload/working_directory.h"

namespace pwalk::run {
namespace {

constexpr int kMostLinks = 40;  // as the kernel

bool has_dotdot(std::string_view path) {
  for (auto at = path.find(".."); at != std::string_view::npos; at = path.find("..", at + 1))
    if ((at == 0 || path[at - 1] == '/') && (at + 2 == path.size() || path[at + 2] == '/')) return true;
  return false;
}

/// No empty, "." or ".." component, no slash at the end.
bool is_plain(std::string_view path) {
  if (path.size() > 1 && path.back() == '/') return false;
  for (std::size_t at = 0; at + 1 < path.size(); ++at) {
    if (path[at] != '/') continue;
    if (path[at + 1] == '/') return false;
    if (path[at + 1] != '.') continue;
    if (at + 2 == path.size() || path[at + 2] == '/') return false;
    if (path[at + 2] == '.' && (at + 3 == path.size() || path[at + 3] == '/')) return false;
  }
  return true;
}

std::string path_of_descriptor(int fd) {
  char link[PATH_MAX];
  const std::string name = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(name.c_str(), link, sizeof link);
  return length > 0 && link[0] == '/' ? std::string(link, std::size_t(length)) : std::string();
}

/// The directory that a relative path starts from, as far as it can lead into the
/// tree; empty: it cannot.
std::string base_of(const ScannedTree& tree, int directory, std::string_view path) {
  if (directory == AT_FDCWD) {
    std::string current = current_directory();
    const bool near = tree.covers(current) || tree.leads_to(current) || has_dotdot(path);
    return near ? current : std::string();
  }
  if (const auto open = descriptors().find(directory)) return open->path;
  struct stat facts {};
  if (::fstat(directory, &facts) != 0 || !S_ISDIR(facts.st_mode)) return {};
  if (std::string above = tree.ancestor_at(facts.st_dev, facts.st_ino); !above.empty()) return above;
  return has_dotdot(path) ? path_of_descriptor(directory) : std::string();
}

/// Walks a path component by component, as the kernel would.
class ComponentWalk {
 public:
  ComponentWalk(const ScannedTree& tree, std::string_view path, bool follow) : tree_(tree), follow_(follow) {
    must_be_directory_ = path.size() > 1 && (path.back() == '/' || path.ends_with("/."));
    push(path);
  }

  void run(Located& into) {
    while (error_ == 0 && !waiting_.empty()) {
      const std::string component = std::move(waiting_.front());
      waiting_.pop_front();
      step(component);
    }
    finish(into);
  }

 private:
  void push(std::string_view path) {
    auto at = waiting_.begin();
    while (!path.empty()) {
      const auto slash = std::min(path.find('/'), path.size());
      if (slash != 0) at = std::next(waiting_.insert(at, std::string(path.substr(0, slash))));
      path.remove_prefix(std::min(slash + 1, path.size()));
    }
  }

  void step(const std::string& component) {
    if (component == ".") return;
    if (component == "..") {
      at_.resize(at_.rfind('/') == std::string::npos ? 0 : at_.rfind('/'));
      return;
    }
    at_ += "/" + component;
    if (!tree_.covers(at_)) return;
    been_inside_ = true;
    const bool last = waiting_.empty();
    const auto entry = tree_.find(at_);
    if (!entry) {
      // What is missing at the end is still a place to name, for mkdir and the like.
      error_ = entry.error();
      missing_ = true;
      return;
    }
    if (entry->type() == 'l' && (!last || follow_ || must_be_directory_)) return follow(*entry);
    if (!last && !entry->is_directory()) error_ = ENOTDIR;
    if (last && must_be_directory_ && !entry->is_directory()) error_ = ENOTDIR;
  }

  void follow(const EntryRef& link) {
    if (++links_ > kMostLinks) {
      error_ = ELOOP;
      return;
    }
    const auto target = link_target(tree_, at_, link);
    if (!target) {
      error_ = target.error();
      return;
    }
    at_.resize(target->starts_with('/') ? 0 : at_.rfind('/'));
    push(*target);
  }

  void finish(Located& into) {
    if (at_.empty()) at_ = "/";
    for (const std::string& component : waiting_)
      if (missing_ && component != ".") at_ += "/" + component;
    into.absolute = std::move(at_);
    into.inside = error_ != 0 || tree_.covers(into.absolute);
    into.error = error_;
    if (!into.inside && been_inside_) {
      if (must_be_directory_) into.absolute += '/';
      point_to_real(into);
    }
    if (!into.inside || error_ != 0) return;
    if (auto entry = tree_.find(into.absolute)) into.entry = *entry;
    else into.error = entry.error();
  }

  const ScannedTree& tree_;
  bool follow_, must_be_directory_ = false, missing_ = false, been_inside_ = false;
  std::deque<std::string> waiting_;
  std::string at_;
  int links_ = 0, error_ = 0;
};

/// Cheap first: most paths name an entry as they stand.
bool found_as_it_stands(const ScannedTree& tree, bool follow, Located& into) {
  if (!is_plain(into.absolute) || !tree.covers(into.absolute)) return false;
  const auto entry = tree.find(into.absolute);
  if (!entry || (follow && entry->type() == 'l')) return false;
  into.inside = true;
  into.entry = *entry;
  return true;
}

void locate_empty(int directory, Located& into) {
  const auto open = descriptors().find(directory);
  if (!open) return;
  into.inside = true;
  into.absolute = open->path;
  into.entry = open->entry;
}

}  // namespace

Located locate(const Call& call, int directory, const char* path, LookUp how) {
  Located where;
  where.directory = directory;
  where.path = path;
  const ScannedTree* tree = call.tree();
  if (!tree || !path) return where;
  if (!*path && directory != AT_FDCWD && how.empty_ok) {
    locate_empty(directory, where);
    return where;
  }
  if (!*path && !(how.empty_ok && in_scanned_directory())) return where;
  if (std::strlen(path) >= PATH_MAX) return where;  // libc says ENAMETOOLONG
  if (path[0] == '/') {
    where.absolute = path;
  } else {
    std::string base = base_of(*tree, directory, path);
    if (base.empty()) return where;
    where.absolute = std::move(base);
    if (where.absolute.back() != '/') where.absolute += '/';
    where.absolute += path;
    if (where.absolute.size() > 1 && !*path) where.absolute.pop_back();
  }
  if (found_as_it_stands(*tree, how.follow, where)) return where;
  if (is_plain(where.absolute) && !tree->covers(where.absolute)) return where;
  const std::string asked = std::move(where.absolute);
  ComponentWalk(*tree, asked, how.follow).run(where);
  return where;
}

void point_to_real(Located& where) {
  where.directory = AT_FDCWD;
  where.path = where.absolute.c_str();
}

}  // namespace pwalk::run
