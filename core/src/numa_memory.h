#pragma once

namespace pwalk {

/// Has the calling thread's memory allocated on the node it runs on, whatever policy
/// was inherited (numactl --interleave). False: no NUMA here, or built without libnuma.
bool prefer_local_memory();

/// Whether that can be had: built with libnuma, on a kernel with NUMA.
bool has_numa_memory();

}  // namespace pwalk
