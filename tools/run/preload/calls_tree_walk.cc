// What libc builds out of its own functions without going through ours: glob, nftw, fts.
#include <dirent.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "run/preload/path_lookup.h"

using namespace pwalk::run;

static_assert(sizeof(glob_t) == sizeof(glob64_t));

namespace {

bool is_inside(const char* path) {
  Call call;
  return locate(call, AT_FDCWD, path).inside;
}

/// glob(3) reads directories with what it is given: the program's functions, which are ours.
void use_our_functions(glob_t& into) {
  into.gl_opendir = [](const char* path) { return static_cast<void*>(::opendir(path)); };
  into.gl_readdir = [](void* directory) { return ::readdir(static_cast<DIR*>(directory)); };
  into.gl_closedir = [](void* directory) { static_cast<void>(::closedir(static_cast<DIR*>(directory))); };
  into.gl_stat = [](const char* path, struct stat* facts) { return ::stat(path, facts); };
  into.gl_lstat = [](const char* path, struct stat* facts) { return ::lstat(path, facts); };
}

bool below_pwalk_run() {
  Call call;
  return call.tree() != nullptr;
}

/// nftw(3) out of the functions that programs call.
class FileTreeWalk {
 public:
  FileTreeWalk(__nftw_func_t told, int flags) : visit_(told), flags_(flags) {}

  int run(const char* top) {
    std::string path = top;
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    const int result = visit(path, 0);
    return flags_ & FTW_ACTIONRETVAL && result > FTW_STOP ? 0 : result;
  }

 private:
  int tell(const std::string& path, const struct stat& facts, int type, int level) {
    const auto slash = path.rfind('/');
    struct FTW place {int(slash == std::string::npos || path.size() == 1 ? 0 : slash + 1), level};
    if (flags_ & FTW_CHDIR && slash != std::string::npos)
      if (::chdir(slash == 0 ? "/" : path.substr(0, slash).c_str()) != 0) return -1;
    return visit_(path.c_str(), &facts, type, &place);
  }

  int type_of(const std::string& path, struct stat& facts) const {
    if (flags_ & FTW_PHYS ? ::lstat(path.c_str(), &facts) == 0 : ::stat(path.c_str(), &facts) == 0)
      return S_ISDIR(facts.st_mode) ? FTW_D : S_ISLNK(facts.st_mode) ? FTW_SL : FTW_F;
    return !(flags_ & FTW_PHYS) && ::lstat(path.c_str(), &facts) == 0 && S_ISLNK(facts.st_mode) ? FTW_SLN : FTW_NS;
  }

  int visit(const std::string& path, int level) {
    struct stat facts {};
    const int type = type_of(path, facts);
    if (level == 0) {
      if (type == FTW_NS) return -1;
      device_ = facts.st_dev;
    }
    if (flags_ & FTW_MOUNT && type != FTW_NS && facts.st_dev != device_) return 0;
    return type == FTW_D ? visit_directory(path, facts, level) : tell(path, facts, type, level);
  }

  int visit_directory(const std::string& path, const struct stat& facts, int level) {
    if (!(flags_ & FTW_PHYS) && !seen_.emplace(facts.st_dev, facts.st_ino).second) return 0;
    DIR* const directory = ::opendir(path.c_str());
    if (!directory) return tell(path, facts, FTW_DNR, level);
    std::vector<std::string> names;
    while (const dirent* const entry = ::readdir(directory)) names.emplace_back(entry->d_name);
    ::closedir(directory);
    if (!(flags_ & FTW_DEPTH)) {
      const int result = tell(path, facts, FTW_D, level);
      if (flags_ & FTW_ACTIONRETVAL && result == FTW_SKIP_SUBTREE) return 0;
      if (result != 0) return result;
    }
    if (const int result = visit_names(path, names, level + 1)) return result;
    return flags_ & FTW_DEPTH ? tell(path, facts, FTW_DP, level) : 0;
  }

  int visit_names(const std::string& directory, const std::vector<std::string>& names, int level) {
    for (const std::string& name : names) {
      if (name == "." || name == "..") continue;
      const int result = visit((directory == "/" ? "" : directory) + "/" + name, level);
      if (flags_ & FTW_ACTIONRETVAL && result == FTW_SKIP_SIBLINGS) return 0;
      if (flags_ & FTW_ACTIONRETVAL && result == FTW_SKIP_SUBTREE) continue;
      if (result != 0) return result;
    }
    return 0;
  }

  __nftw_func_t visit_;
  int flags_;
  dev_t device_ = 0;
  std::set<std::pair<dev_t, ino_t>> seen_;
};

int walk(const char* path, __nftw_func_t visit, int flags) {
  const int where = flags & FTW_CHDIR ? ::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  const int result = FileTreeWalk(visit, flags).run(path);
  if (where >= 0) {
    static_cast<void>(!::fchdir(where));
    ::close(where);
  }
  return result;
}

/// ftw(3) has no room for more than its callback.
thread_local __ftw_func_t plain_visit = nullptr;
int visit_plainly(const char* path, const struct stat* facts, int type, struct FTW*) {
  return plain_visit(path, facts, type == FTW_SLN ? FTW_NS : type);
}

int walk_plainly(const char* path, __ftw_func_t visit) {
  const auto outer = std::exchange(plain_visit, visit);
  const int result = walk(path, visit_plainly, 0);
  plain_visit = outer;
  return result;
}

bool any_inside(char* const* paths) {
  for (char* const* path = paths; path && *path; ++path)
    if (is_inside(*path)) return true;
  return false;
}

}  // namespace

PWALK_TAKES int glob(const char* pattern, int flags, int (*failed)(const char*, int), glob_t* into) {
  if (below_pwalk_run() && !(flags & GLOB_ALTDIRFUNC)) {
    use_our_functions(*into);
    flags |= GLOB_ALTDIRFUNC;
  }
  return PWALK_REAL(glob)(pattern, flags, failed, into);
}
PWALK_TAKES int glob64(const char* pattern, int flags, int (*failed)(const char*, int), glob64_t* into) {
  return glob(pattern, flags, failed, reinterpret_cast<glob_t*>(into));
}

PWALK_TAKES int nftw(const char* path, __nftw_func_t visit, int descriptors, int flags) {
  return is_inside(path) ? walk(path, visit, flags) : PWALK_REAL(nftw)(path, visit, descriptors, flags);
}
PWALK_TAKES int nftw64(const char* path, __nftw64_func_t visit, int descriptors, int flags) {
  return is_inside(path) ? walk(path, reinterpret_cast<__nftw_func_t>(visit), flags) : PWALK_REAL(nftw64)(path, visit, descriptors, flags);
}
PWALK_TAKES int ftw(const char* path, __ftw_func_t visit, int descriptors) {
  return is_inside(path) ? walk_plainly(path, visit) : PWALK_REAL(ftw)(path, visit, descriptors);
}
PWALK_TAKES int ftw64(const char* path, __ftw64_func_t visit, int descriptors) {
  return is_inside(path) ? walk_plainly(path, reinterpret_cast<__ftw_func_t>(visit)) : PWALK_REAL(ftw64)(path, visit, descriptors);
}

// libc's own fts would go to the real tree; find, du and the like bring one of their own.
PWALK_TAKES FTS* fts_open(char* const* paths, int options, int (*order)(const FTSENT**, const FTSENT**)) {
  if (any_inside(paths)) return errno = EOPNOTSUPP, nullptr;
  return PWALK_REAL(fts_open)(paths, options, order);
}
PWALK_TAKES FTS64* fts64_open(char* const* paths, int options, int (*order)(const FTSENT64**, const FTSENT64**)) {
  if (any_inside(paths)) return errno = EOPNOTSUPP, nullptr;
  return PWALK_REAL(fts64_open)(paths, options, order);
}
