#include "scan_home.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "control_socket.h"
#include "process_handle.h"
#include "pwalk/ipc/scan_directory.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

namespace pwalk::ipc {
namespace {

constexpr std::string_view kBeingMade = ".new-";
constexpr std::string_view kBeingRemoved = ".dead-";

std::string fresh_name(std::string_view prefix) {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random)
    random = std::uint64_t(::getpid()) << 32 | std::uint64_t(::time(nullptr));
  return fmt::format("{}{:016x}", prefix, random);
}

/// Where the filesystem cannot promise NOREPLACE, a plain rename does: every scan
/// directory holds its socket, and rename(2) replaces only empty directories.
int rename_without_replacing(int directory, const std::string& from, const std::string& to) {
  if (::syscall(SYS_renameat2, directory, from.c_str(), directory, to.c_str(), RENAME_NOREPLACE) == 0)
    return 0;
  if (errno == EINVAL || errno == ENOSYS)
    if (::renameat(directory, from.c_str(), directory, to.c_str()) == 0) return 0;
  return errno == ENOTEMPTY ? EEXIST : errno;
}

/// Holds the lock by which a directory that nobody listens in yet is known to be
/// somebody's. False: somebody else has it.
bool lock_directory(int directory) {
  return ::flock(directory, LOCK_EX | LOCK_NB) == 0;
}

bool is_being_made(const std::string& name) {
  return name.starts_with(kBeingMade);
}

/// All that a scanner ever puts there is its socket. Whatever else lies in it is
/// somebody's, and the directory is left alone.
bool holds_only_a_socket(int directory) {
  const auto names = names_in(directory);
  return names && std::all_of(names->begin(), names->end(),
                              [](const std::string& name) { return name == kSocketName; });
}

/// Removes the emptied directory `name`; `directory` is open on it.
Result<void> dismantle(int runtime, int directory, const std::string& name) {
  ::unlinkat(directory, kSocketName, 0);
  if (::unlinkat(runtime, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return fail_errno(fmt::format("cannot remove the scan directory '{}'", name));
  return {};
}

}  // namespace

// ---- a live scan's own ------------------------------------------------------

Result<ScanHome> ScanHome::make(const std::string& runtime_directory, const std::string& name,
                                std::optional<gid_t> group) {
  if (auto good = check_scan_name(name); !good) return tl::unexpected(good.error());
  auto runtime = open_runtime_directory(runtime_directory, true);
  if (!runtime) return tl::unexpected(runtime.error());
  ScanHome home;
  home.runtime_ = *std::move(runtime);
  home.name_ = name;
  home.group_ = group;
  home.owner_ = ::getpid();
  // Somebody who cleans up may take the directory before it is locked: then another one.
  Result<void> made = fail(EAGAIN, "");
  for (int attempt = 0; attempt < 8 && !made; ++attempt) made = home.make_directory();
  if (!made) return tl::unexpected(made.error());
  return home;
}

Result<void> ScanHome::make_directory() {
  const std::string name = fresh_name(kBeingMade);
  if (::mkdirat(runtime_.get(), name.c_str(), 0700) != 0)
    return fail_errno("cannot make the scan's directory");
  auto directory = open_scan_directory(runtime_.get(), name);
  if (!directory) return tl::unexpected(directory.error());
  if (!lock_directory(directory->get())) return fail(EAGAIN, "somebody else took the scan's directory");
  auto listener = listen_in(directory->get(), group_);
  if (!listener) {
    ::unlinkat(runtime_.get(), name.c_str(), AT_REMOVEDIR);
    return tl::unexpected(listener.error());
  }
  directory_ = *std::move(directory);
  listener_ = *std::move(listener);
  present_ = name;
  return let_members_in();
}

/// The group first, then the bits that mean it: nobody else is let in between.
Result<void> ScanHome::let_members_in() {
  if (!group_) return {};
  struct stat runtime {};
  if (::fchown(directory_.get(), uid_t(-1), *group_) != 0 || ::fchmod(directory_.get(), 0710) != 0)
    return fail_errno(fmt::format("cannot share the scan's directory with group {}", *group_));
  if (::fstat(runtime_.get(), &runtime) != 0 || ::fchmod(runtime_.get(), (runtime.st_mode & 0777) | 0111) != 0)
    return fail_errno("cannot let others pass through the runtime directory");
  return {};
}

Result<void> ScanHome::appear() {
  for (int attempt = 0; attempt < 8; ++attempt) {
    const int error = rename_without_replacing(runtime_.get(), present_, name_);
    if (error == 0) {
      present_ = name_;
      return {};
    }
    if (error != EEXIST) return fail(error, fmt::format("cannot name the scan '{}'", name_));
    const auto removed = remove_dead_directory(runtime_.get(), name_);
    if (!removed && removed.error().code == EBUSY)
      return fail(EEXIST, fmt::format("a live scan is named '{}'", name_));
    if (!removed && removed.error().code != ENOENT) return fail(EEXIST, removed.error().what);
  }
  return fail(EEXIST, fmt::format("others keep taking the name '{}'", name_));
}

ScanHome::ScanHome(ScanHome&& other) noexcept
    : runtime_(std::move(other.runtime_)),
      directory_(std::move(other.directory_)),
      listener_(std::move(other.listener_)),
      name_(std::move(other.name_)),
      present_(std::exchange(other.present_, {})),
      owner_(other.owner_),
      group_(other.group_) {}

ScanHome::~ScanHome() {
  if (present_.empty() || owner_ != ::getpid()) return;
  const std::string aside = fresh_name(kBeingRemoved);
  const bool moved = rename_without_replacing(runtime_.get(), present_, aside) == 0;
  static_cast<void>(dismantle(runtime_.get(), directory_.get(), moved ? aside : present_));
}

// ---- other scans' -----------------------------------------------------------

bool is_scan_directory(int directory) {
  struct stat status {};
  return ::fstatat(directory, kSocketName, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(status.st_mode);
}

Result<UniqueFd> connect_to_scanner(int scan_directory) {
  auto socket = connect_in(scan_directory);
  if (!socket) return socket;
  // A child that inherited the listening socket keeps it open after its parent's death.
  const auto scanner = ProcessHandle::of_peer(socket->get(), UniqueFd());
  if (scanner && scanner->dead()) return fail(ECONNREFUSED, "the scan's process is dead");
  return socket;
}

bool is_alive(int scan_directory) {
  const auto socket = connect_to_scanner(scan_directory);
  return socket || (socket.error().code != ECONNREFUSED && socket.error().code != ENOENT);
}

Result<UniqueFd> open_scan_directory(int runtime, const std::string& name) {
  UniqueFd directory(::openat(runtime, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return fail_errno(fmt::format("cannot open the scan directory '{}'", name));
  struct stat status {};
  if (::fstat(directory.get(), &status) != 0) return fail_errno("cannot look at a scan directory");
  if (status.st_uid != ::geteuid() && ::geteuid() != 0)
    return fail(EPERM, fmt::format("the scan directory '{}' belongs to another user", name));
  return directory;
}

Result<UniqueFd> open_scan_directory_of(uid_t owner, int runtime, const std::string& name) {
  UniqueFd directory(::openat(runtime, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return fail_errno(fmt::format("cannot open the scan directory '{}'", name));
  struct stat status {};
  if (::fstat(directory.get(), &status) != 0) return fail_errno("cannot look at a scan directory");
  if (status.st_uid != owner)
    return fail(EPERM, fmt::format("the scan directory '{}' does not belong to the user that was named", name));
  return directory;
}

Result<void> remove_dead_directory(int runtime, const std::string& name) {
  auto directory = open_scan_directory(runtime, name);
  if (!directory) return tl::unexpected(directory.error());
  const auto alive = fail(EBUSY, fmt::format("the scan '{}' is alive", name));
  if (is_being_made(name) && !lock_directory(directory->get())) return alive;
  if (is_alive(directory->get())) return alive;
  if (!holds_only_a_socket(directory->get()))
    return fail(ENOTEMPTY, fmt::format("'{}' holds more than a dead scan leaves", name));
  const std::string aside = fresh_name(kBeingRemoved);
  if (const int error = rename_without_replacing(runtime, name, aside); error != 0)
    return fail(error, fmt::format("cannot move the dead scan '{}' aside", name));
  // Between the look and the rename a new scan may have taken the name.
  auto moved = open_scan_directory(runtime, aside);
  if (!moved) return tl::unexpected(moved.error());
  if (is_alive(moved->get())) {
    rename_without_replacing(runtime, aside, name);
    return alive;
  }
  return dismantle(runtime, moved->get(), aside);
}

Result<std::vector<std::string>> names_in(int directory) {
  UniqueFd copy(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy) return fail_errno("cannot read a scan directory");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy.get()), ::closedir);
  if (!stream) return fail_errno("cannot read a scan directory");
  static_cast<void>(copy.release());
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

}  // namespace pwalk::ipc
