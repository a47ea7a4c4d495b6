#include "memory_limit.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <limits>
#include <optional>
#include <string_view>

#include "layout.h"
#include "pwalk/ipc/scan_session.h"

namespace pwalk::ipc {
namespace {

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kLeastPool = std::uint64_t{2} << 20;
constexpr std::uint64_t kUsualPool = std::uint64_t{256} << 20;

/// A number in a cgroup's file; "max", a missing file and v1's huge "none" are kUnlimited.
std::uint64_t bytes_in(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  if (!(file >> value) || value > kUnlimited / 2) return kUnlimited;
  return value;
}

/// One cgroup's memory files, v1 or v2.
struct MemoryFiles {
  std::string directory;
  const char* limit;
  const char* usage;
};

/// Calls `each` for the cgroup at `path` below `root` and all above it: every one limits.
void up_the_tree(const std::string& root, std::string path, const char* limit, const char* usage,
                 const std::function<void(const MemoryFiles&)>& each) {
  for (;;) {
    each({root + path, limit, usage});
    const auto slash = path.rfind('/');
    if (path.size() <= 1 || slash == std::string::npos) return;
    path.resize(slash);
  }
}

/// Lines of /proc/self/cgroup are ID:CONTROLLERS:PATH; v2 has no controllers (cgroups(7)).
void each_cgroup(const std::string& proc, const std::string& sys,
                 const std::function<void(const MemoryFiles&)>& each) {
  std::ifstream file(proc + "/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") up_the_tree(sys, path, "/memory.max", "/memory.current", each);
    if (controllers.find(",memory,") != std::string::npos)
      up_the_tree(sys + "/memory", path, "/memory.limit_in_bytes", "/memory.usage_in_bytes", each);
  }
}

std::optional<std::uint64_t> meminfo(const std::string& proc, std::string_view key) {
  std::ifstream file(proc + "/meminfo");
  std::string name;
  for (std::uint64_t kilobytes = 0; file >> name >> kilobytes; file.ignore(1024, '\n'))
    if (name == key) return kilobytes * 1024;
  return std::nullopt;
}

}  // namespace

std::uint64_t memory_limit(const std::string& proc, const std::string& sys) {
  std::uint64_t limit = meminfo(proc, "MemTotal:").value_or(kUnlimited);
  each_cgroup(proc, sys, [&](const MemoryFiles& files) {
    limit = std::min(limit, bytes_in(files.directory + files.limit));
  });
  return limit;
}

std::uint64_t available_memory(const std::string& proc, const std::string& sys) {
  std::uint64_t available = meminfo(proc, "MemAvailable:").value_or(kUnlimited);
  each_cgroup(proc, sys, [&](const MemoryFiles& files) {
    const std::uint64_t limit = bytes_in(files.directory + files.limit);
    if (limit == kUnlimited) return;
    const std::uint64_t used = bytes_in(files.directory + files.usage);
    available = std::min(available, limit - std::min(limit, used == kUnlimited ? 0 : used));
  });
  return available;
}

std::uint64_t default_pool_bytes() {
  const std::uint64_t quarter = memory_limit() / 4 / kBlockBytes * kBlockBytes;
  return std::clamp(quarter, kLeastPool, kUsualPool);
}

}  // namespace pwalk::ipc
