#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

namespace pwalk::tools {

/// User and group names of this machine, each looked up once. One thread.
class OwnerNames {
 public:
  /// nullptr: nobody has the number.
  const std::string* user(std::uint32_t uid);
  const std::string* group(std::uint32_t gid);
  /// The name, or the number as text.
  std::string user_text(std::uint32_t uid);
  std::string group_text(std::uint32_t gid);

  static std::optional<std::uint32_t> uid_of(const std::string& name);
  static std::optional<std::uint32_t> gid_of(const std::string& name);

 private:
  std::unordered_map<std::uint32_t, std::optional<std::string>> users_, groups_;
};

}  // namespace pwalk::tools
