#include "pwalk/ipc/scan_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "control_socket.h"
#include "pwalk/ipc/scan_session.h"
#include "scan_home.h"
#include "scan_lookup.h"
#include "timestamp.h"

namespace pwalk::ipc {
namespace {

constexpr std::size_t kLongestName = 64;
constexpr std::string_view kNameCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

/// How long `pwalk scans` waits for one scan's answer.
constexpr std::chrono::milliseconds kStatusTimeout{1000};

std::string directory_of_uid(uid_t uid) {
  return fmt::format("/dev/shm/pwalk-{}", uid);
}

/// Entries of the passwd database need a buffer of unknown size (getpwnam_r(3)).
constexpr std::size_t kPasswdBuffer = 16 * 1024;

std::string user_named(uid_t uid) {
  std::vector<char> buffer(kPasswdBuffer);
  passwd entry{}, *found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found) return entry.pw_name;
  return std::to_string(uid);
}

Result<uid_t> user_id(const std::string& user) {
  std::vector<char> buffer(kPasswdBuffer);
  passwd entry{}, *found = nullptr;
  if (::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
    return fail(ENOENT, fmt::format("no user '{}'", user));
  return entry.pw_uid;
}

/// What a directory alone tells of its scan.
ScanStatus dead_status(int directory, const std::string& name) {
  ScanStatus status;
  status.name = name;
  status.state = "dead";
  struct stat attributes {};
  // The socket was made when the scan started.
  if (::fstatat(directory, kSocketName, &attributes, AT_SYMLINK_NOFOLLOW) == 0)
    status.started = rfc3339(attributes.st_mtime);
  return status;
}

ScanStatus status_in(int directory, const std::string& name) {
  const auto socket = connect_to_scanner(directory);
  if (!socket && (socket.error().code == ECONNREFUSED || socket.error().code == ENOENT))
    return dead_status(directory, name);
  ScanStatus unknown;
  unknown.name = name;
  unknown.state = "unresponsive";
  if (!socket) return unknown;
  auto status = ask_status(socket->get(), kStatusTimeout);
  if (!status) return unknown;
  status->name = name;
  return *std::move(status);
}

/// Left by a scanner killed before its scan appeared, or a cleaner killed at work.
bool is_debris(const std::string& name) {
  return name.starts_with(".new-") || name.starts_with(".dead-");
}

/// The scan directories of a runtime directory: names that a scan may have, with a socket in them.
bool is_scan(int runtime, const std::string& name) {
  if (!check_scan_name(name)) return false;
  const auto directory = open_scan_directory(runtime, name);
  return directory && is_scan_directory(directory->get());
}

/// Nothing has the name, or a dead scan that will make way.
bool is_free(int runtime, const std::string& name) {
  const auto taken = open_scan_directory(runtime, name);
  if (!taken) return taken.error().code == ENOENT;
  return is_scan_directory(taken->get()) && !is_alive(taken->get());
}

std::string valid_name(std::string_view wanted) {
  while (!wanted.empty() && wanted.front() == '/') wanted.remove_prefix(1);
  while (!wanted.empty() && wanted.back() == '/') wanted.remove_suffix(1);
  std::string name;
  for (const char c : wanted.substr(0, kLongestName - 8))
    name += kNameCharacters.find(c) != kNameCharacters.npos ? c : '_';
  if (name.empty()) return "root";
  if (name.front() == '.' || name.front() == '-') name.front() = '_';
  return name;
}

}  // namespace

std::string runtime_directory() {
  const char* set = std::getenv("PWALK_RUNTIME_DIR");
  return set && *set ? set : directory_of_uid(::geteuid());
}

Result<std::string> runtime_directory_of(const std::string& user) {
  const auto uid = user_id(user);
  return uid ? Result<std::string>(directory_of_uid(*uid)) : tl::unexpected(uid.error());
}

Result<gid_t> group_named(const std::string& wanted) {
  std::vector<char> buffer(kPasswdBuffer);
  group entry{}, *found = nullptr;
  if (::getgrnam_r(wanted.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found) return entry.gr_gid;
  gid_t number = 0;
  const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), number);
  if (wanted.empty() || error != std::errc{} || end != wanted.data() + wanted.size())
    return fail(ENOENT, fmt::format("no group '{}'", wanted));
  return number;
}

Result<TheirRuntimeDirectory> open_runtime_directory_of(const std::string& user) {
  const auto uid = user_id(user);
  if (!uid) return tl::unexpected(uid.error());
  TheirRuntimeDirectory theirs{.path = directory_of_uid(*uid), .owner = *uid, .directory = {}};
  theirs.directory = UniqueFd(::open(theirs.path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!theirs.directory) return fail_errno(fmt::format("cannot open the runtime directory '{}'", theirs.path));
  struct stat status {};
  if (::fstat(theirs.directory.get(), &status) != 0) return fail_errno("cannot look at the runtime directory");
  if (status.st_uid != *uid || (status.st_mode & 022))
    return fail(EPERM, fmt::format("the runtime directory '{}' is not {}'s alone", theirs.path, user));
  return theirs;
}

Result<UniqueFd> open_runtime_directory(const std::string& given, bool create) {
  std::string path = given;
  while (path.size() > 1 && path.back() == '/') path.pop_back();  // a slash would follow a link
  if (create && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno(fmt::format("cannot make the runtime directory '{}'", path));
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) {
    const int code = errno == ELOOP || errno == ENOTDIR ? EPERM : errno;
    return fail(code, code == EPERM ? fmt::format("the runtime directory '{}' is not a directory", path)
                                    : fmt::format("cannot open the runtime directory '{}'", path));
  }
  struct stat status {};
  if (::fstat(directory.get(), &status) != 0) return fail_errno("cannot look at the runtime directory");
  const bool ours = status.st_uid == ::geteuid() || (!create && ::geteuid() == 0);
  if (!ours) return fail(EPERM, fmt::format("the runtime directory '{}' belongs to another user", path));
  if (status.st_mode & 022)
    return fail(EPERM, fmt::format("the runtime directory '{}' can be written by others (mode {:o})", path,
                                   status.st_mode & 07777));
  return directory;
}

Result<std::vector<ScanStatus>> list_scans(const std::string& path) {
  auto runtime = open_runtime_directory(path, false);
  if (!runtime && runtime.error().code == ENOENT) return std::vector<ScanStatus>();
  if (!runtime) return tl::unexpected(runtime.error());
  auto names = names_in(runtime->get());
  if (!names) return tl::unexpected(names.error());
  std::sort(names->begin(), names->end());
  std::vector<ScanStatus> scans;
  for (const std::string& name : *names) {
    if (!is_scan(runtime->get(), name)) continue;
    const auto directory = open_scan_directory(runtime->get(), name);
    if (!directory) continue;  // gone in the meantime
    scans.push_back(status_in(directory->get(), name));
    struct stat attributes {};
    if (::fstat(directory->get(), &attributes) == 0) scans.back().user = user_named(attributes.st_uid);
  }
  return scans;
}

Result<std::vector<std::string>> remove_dead_scans(const std::string& path) {
  auto runtime = open_runtime_directory(path, false);
  if (!runtime && runtime.error().code == ENOENT) return std::vector<std::string>();
  if (!runtime) return tl::unexpected(runtime.error());
  const auto names = names_in(runtime->get());
  if (!names) return tl::unexpected(names.error());
  std::vector<std::string> removed;
  for (const std::string& name : *names) {
    const bool scan = is_scan(runtime->get(), name);
    if ((scan || is_debris(name)) && remove_dead_directory(runtime->get(), name) && scan)
      removed.push_back(name);
  }
  std::sort(removed.begin(), removed.end());
  return removed;
}

Result<void> remove_scan(const std::string& path, const std::string& name) {
  if (auto good = check_scan_name(name); !good) return good;
  auto runtime = open_runtime_directory(path, false);
  if (!runtime && runtime.error().code == ENOENT) return fail(ENOENT, fmt::format("no scan '{}'", name));
  if (!runtime) return tl::unexpected(runtime.error());
  if (!is_scan(runtime->get(), name)) return fail(ENOENT, fmt::format("no scan '{}'", name));
  return remove_dead_directory(runtime->get(), name);
}

Result<void> check_scan_name(const std::string& name) {
  const bool good = !name.empty() && name.size() <= kLongestName && name.front() != '.' &&
                    name.front() != '-' && name.find_first_not_of(kNameCharacters) == std::string::npos;
  if (good) return {};
  return fail(EINVAL,
              "a scan's name has 1 to 64 of A-Z a-z 0-9 . _ - and does not begin with a dot or a dash");
}

std::string unique_scan_name(const std::string& wanted) {
  std::string base = valid_name(wanted);
  auto runtime = open_runtime_directory(runtime_directory(), false);
  if (!runtime) return base;
  std::string name = base;
  for (unsigned number = 2;; ++number) {
    if (is_free(runtime->get(), name)) return name;
    name = fmt::format("{}-{}", base, number);
  }
}

}  // namespace pwalk::ipc
