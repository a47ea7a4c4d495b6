#pragma once

#include "doctor/finding.h"
#include "doctor/system_files.h"

namespace pwalk::tools {

/// Kernel release; statx, openat2 and io_uring by calling them; eBPF by what this
/// process may do; CPUs, NUMA nodes and limits.
Findings kernel_findings(const SystemFiles& files);

/// Which of CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN a CapEff mask (hex text of
/// /proc/self/status) holds, as "CAP_BPF CAP_PERFMON"; "none".
std::string bpf_capabilities(const std::string& effective_hex);

/// How many numbers a list such as "0-3,8" names; 0 if it is no such list.
unsigned count_in_list(const std::string& list);

}  // namespace pwalk::tools
