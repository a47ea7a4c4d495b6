#include "text/owner_names.h"

#include <grp.h>
#include <pwd.h>

namespace pwalk::tools {
namespace {

const std::string* shown(const std::optional<std::string>& name) { return name ? &*name : nullptr; }

}  // namespace

const std::string* OwnerNames::user(std::uint32_t uid) {
  auto [at, is_new] = users_.try_emplace(uid);
  if (is_new)
    if (const passwd* found = ::getpwuid(uid)) at->second = found->pw_name;
  return shown(at->second);
}

const std::string* OwnerNames::group(std::uint32_t gid) {
  auto [at, is_new] = groups_.try_emplace(gid);
  if (is_new)
    if (const ::group* found = ::getgrgid(gid)) at->second = found->gr_name;
  return shown(at->second);
}

std::string OwnerNames::user_text(std::uint32_t uid) {
  const std::string* name = user(uid);
  return name ? *name : std::to_string(uid);
}

std::string OwnerNames::group_text(std::uint32_t gid) {
  const std::string* name = group(gid);
  return name ? *name : std::to_string(gid);
}

std::optional<std::uint32_t> OwnerNames::uid_of(const std::string& name) {
  const passwd* found = ::getpwnam(name.c_str());
  return found ? std::optional<std::uint32_t>(found->pw_uid) : std::nullopt;
}

std::optional<std::uint32_t> OwnerNames::gid_of(const std::string& name) {
  const ::group* found = ::getgrnam(name.c_str());
  return found ? std::optional<std::uint32_t>(found->gr_gid) : std::nullopt;
}

}  // namespace pwalk::tools
