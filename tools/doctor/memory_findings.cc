#include "doctor/memory_findings.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "pwalk/ipc/scan_session.h"
#include "text/escape.h"
#include "text/figures.h"

namespace pwalk::tools {
namespace {

constexpr const char* kHugePages = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
constexpr const char* kTransparent = "/sys/kernel/mm/transparent_hugepage/";
constexpr std::uint64_t kHugePageBytes = 2 << 20;

/// v1 writes "none" as the largest multiple of a page; anything near is no limit.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 62;

Finding reserved_pages(const SystemFiles& files) {
  const auto total = files.number(std::string(kHugePages) + "nr_hugepages");
  if (!total) return {"huge pages, reserved", "this kernel has none of 2 MiB", ""};
  const auto free = files.number(std::string(kHugePages) + "free_hugepages").value_or(0);
  const auto promised = files.number(std::string(kHugePages) + "resv_hugepages").value_or(0);
  const auto usable = free > promised ? free - promised : 0;
  const auto needed = 2 * ((ipc::default_pool_bytes() + kHugePageBytes - 1) / kHugePageBytes);
  Finding finding{"huge pages, reserved", fmt::format("{} of {} free", usable, *total), ""};
  finding.remark = usable >= needed
                       ? "the default pool fits in half of them and takes them"
                       : fmt::format("the default pool takes them when {} are free: sysctl vm.nr_hugepages={}",
                                     needed, *total + needed - usable);
  return finding;
}

Finding transparent_pages(const SystemFiles& files) {
  const auto shmem = files.line(std::string(kTransparent) + "shmem_enabled");
  const auto general = files.line(std::string(kTransparent) + "enabled");
  if (!shmem) return {"huge pages, transparent", "not in this kernel", "the pool is made of 4 KiB pages"};
  return {"huge pages, transparent",
          fmt::format("shmem {}, anonymous {}", escaped(chosen_word(*shmem)),
                      escaped(chosen_word(general.value_or("unknown")))),
          "the pool is collapsed into them whatever this says (MADV_COLLAPSE, Linux 6.1)"};
}

/// "0::/user.slice" and "4:memory:/x": where each hierarchy's limits of ours are.
std::vector<std::string> limit_files(const SystemFiles& files) {
  std::vector<std::string> found;
  std::istringstream lines(files.text("/proc/self/cgroup").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool v1 = ("," + controllers + ",").find(",memory,") != std::string::npos;
    if (!v1 && !controllers.empty()) continue;
    const std::string base = v1 ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup";
    const std::string file = v1 ? "/memory.limit_in_bytes" : "/memory.max";
    std::string path = line.substr(second + 1);
    for (;; path.resize(path.rfind('/'))) {
      if (path == "/") path.clear();
      found.push_back(fmt::format("{}{}{}", base, path, file));
      if (path.find('/') == path.npos) break;
    }
  }
  return found;
}

Finding memory_limit(const SystemFiles& files) {
  const auto limit = cgroup_memory_limit(files);
  const auto available = files.value("/proc/meminfo", "MemAvailable");
  return {"memory",
          fmt::format("{} available, cgroup limit {}", escaped(available.value_or("unknown")),
                      limit ? byte_text(*limit) : "none"),
          fmt::format("default pool {}", byte_text(ipc::default_pool_bytes()))};
}

Finding shared_memory() {
  struct statvfs shm {};
  if (::statvfs("/dev/shm", &shm) != 0)
    return {"/dev/shm", "missing", "set PWALK_RUNTIME_DIR to a directory of your own, mode 0700"};
  return {"/dev/shm",
          fmt::format("{} free of {}", byte_text(std::uint64_t(shm.f_bavail) * shm.f_frsize),
                      byte_text(std::uint64_t(shm.f_blocks) * shm.f_frsize)),
          "holds a socket per scan; the pool is a memfd and does not count here"};
}

Finding remove_ipc(const SystemFiles& files) {
  if (!files.exists("/run/systemd/system")) return {"RemoveIPC", "no systemd here", ""};
  if (!logind_removes_ipc(files)) return {"RemoveIPC", "no", ""};
  return {"RemoveIPC", "yes",
          "logind empties an ordinary user's /dev/shm at the last logout: loginctl enable-linger, or set "
          "PWALK_RUNTIME_DIR"};
}

}  // namespace

std::optional<std::uint64_t> cgroup_memory_limit(const SystemFiles& files) {
  std::optional<std::uint64_t> tightest;
  for (const std::string& path : limit_files(files))
    if (const auto limit = files.number(path); limit && *limit < kNoLimit)
      tightest = std::min(tightest.value_or(*limit), *limit);
  return tightest;
}

bool logind_removes_ipc(const SystemFiles& files) {
  constexpr const char* kDirectories[] = {"/usr/lib/systemd", "/run/systemd", "/etc/systemd"};
  std::map<std::string, std::string> drop_ins;  // name -> path; a later directory hides an earlier one
  std::string main_file;
  for (const std::string directory : kDirectories) {
    if (files.exists(directory + "/logind.conf")) main_file = directory + "/logind.conf";
    for (const std::string& path : files.list(directory + "/logind.conf.d", ".conf"))
      drop_ins[path.substr(path.rfind('/') + 1)] = path;
  }
  std::string setting = files.value(main_file, "RemoveIPC").value_or("yes");
  for (const auto& [name, path] : drop_ins) setting = files.value(path, "RemoveIPC").value_or(setting);
  return setting == "yes" || setting == "true" || setting == "on" || setting == "1";
}

Findings memory_findings(const SystemFiles& files) {
  return {reserved_pages(files), transparent_pages(files), memory_limit(files), shared_memory(), remove_ipc(files)};
}

}  // namespace pwalk::tools
