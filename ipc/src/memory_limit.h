#pragma once

#include <cstdint>
#include <string>

/// How much memory this process may expect to get.
namespace pwalk::ipc {

/// The tightest memory limit of the cgroups this process is in, v1 or v2, and of
/// the machine itself. `proc` and `sys` stand for /proc and /sys/fs/cgroup, for tests.
std::uint64_t memory_limit(const std::string& proc = "/proc", const std::string& sys = "/sys/fs/cgroup");

/// What could be allocated now without driving anything out: MemAvailable, and
/// what the cgroups' limits leave.
std::uint64_t available_memory(const std::string& proc = "/proc", const std::string& sys = "/sys/fs/cgroup");

}  // namespace pwalk::ipc
