#pragma once

#include "doctor/finding.h"
#include "doctor/system_files.h"

namespace pwalk::tools {

/// Reserved and transparent huge pages, the cgroups' limits, the default pool,
/// /dev/shm, and whether logind may empty it (RemoveIPC).
Findings memory_findings(const SystemFiles& files);

/// The tightest memory limit of the cgroups this process is in, v2 or v1;
/// nullopt: none is set.
std::optional<std::uint64_t> cgroup_memory_limit(const SystemFiles& files);

/// RemoveIPC as logind.conf(5) and its drop-ins leave it: the last one wins, and
/// a file in /etc hides those of the same name in /run and /usr/lib.
bool logind_removes_ipc(const SystemFiles& files);

}  // namespace pwalk::tools
