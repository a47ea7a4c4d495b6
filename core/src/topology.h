#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pwalk/scan_options.h"
#include "pwalk/scan_plan.h"
#include "sys/calls.h"

namespace pwalk {

/// One CPU that this process may use.
struct Cpu {
  unsigned id = 0;
  unsigned core = 0;  ///< the lowest CPU of those that share it (SMT siblings)
  unsigned node = 0;  ///< NUMA node
  friend bool operator==(const Cpu&, const Cpu&) = default;
};

/// The CPUs of `usable` with their cores and nodes, as sysfs tells them. Numbers may
/// have gaps, nodes may have no CPU; what sysfs does not tell is taken as a core of
/// its own, on node 0.
std::vector<Cpu> read_topology(const sys::Calls& calls, const std::vector<unsigned>& usable);

/// The numbers of a kernel list such as "0-3,8,10-11"; ends at what is none.
std::vector<unsigned> parse_cpu_list(std::string_view text);

/// Where workers run, the first on the first and so on, over again from the front
/// when there are more. Empty: wherever the kernel likes.
///
/// With `cpu_affinity` a place is `cpus_per_thread` CPUs of one node, whole cores
/// before their second threads; with `numa_aware` the nodes take turns. With
/// `numa_aware` alone a place is a node, if there are several.
std::vector<Place> places_for(const std::vector<Cpu>& cpus, const ThreadOptions& asked);

}  // namespace pwalk
