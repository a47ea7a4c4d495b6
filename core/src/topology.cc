#include "topology.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace pwalk {
namespace {

constexpr const char* kSystem = "/sys/devices/system/";

/// CPUs of one machine are far fewer; a list that says more is nonsense.
constexpr unsigned kMostCpus = 1u << 16;

std::string text_of(const sys::Calls& calls, const std::string& path) {
  auto text = calls.read_file(kSystem + path);
  return text ? *std::move(text) : std::string();
}

unsigned core_of(const sys::Calls& calls, unsigned cpu) {
  const auto siblings =
      parse_cpu_list(text_of(calls, "cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list"));
  const bool names_it = std::find(siblings.begin(), siblings.end(), cpu) != siblings.end();
  return names_it ? *std::min_element(siblings.begin(), siblings.end()) : cpu;
}

std::map<unsigned, unsigned> nodes_by_cpu(const sys::Calls& calls) {
  std::map<unsigned, unsigned> nodes;
  for (const unsigned node : parse_cpu_list(text_of(calls, "node/online")))
    for (const unsigned cpu : parse_cpu_list(text_of(calls, "node/node" + std::to_string(node) + "/cpulist")))
      nodes.emplace(cpu, node);
  return nodes;
}

using Nodes = std::vector<std::vector<Cpu>>;

/// Grouped by node in ascending order; of each the first thread of every core, then
/// the second ones.
Nodes by_node(std::vector<Cpu> cpus) {
  std::map<unsigned, unsigned> threads_seen;  // of a core
  std::map<unsigned, std::map<unsigned, std::vector<Cpu>>> sorted;
  std::sort(cpus.begin(), cpus.end(), [](const Cpu& a, const Cpu& b) { return a.id < b.id; });
  for (const Cpu& cpu : cpus) sorted[cpu.node][threads_seen[cpu.core]++].push_back(cpu);
  Nodes nodes;
  for (const auto& [node, ranks] : sorted) {
    nodes.emplace_back();
    for (const auto& [rank, some] : ranks) nodes.back().insert(nodes.back().end(), some.begin(), some.end());
  }
  return nodes;
}

/// One node after the other, as if they were one.
Nodes as_one(const Nodes& nodes) {
  Nodes one(1);
  for (const auto& node : nodes) one[0].insert(one[0].end(), node.begin(), node.end());
  return one;
}

Place place_of(const std::vector<Cpu>& cpus, std::size_t from, std::size_t count) {
  Place place;
  place.node = cpus[from].node;
  for (std::size_t at = from; at < std::min(from + count, cpus.size()); ++at) place.cpus.push_back(cpus[at].id);
  return place;
}

}  // namespace

std::vector<unsigned> parse_cpu_list(std::string_view text) {
  std::vector<unsigned> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    unsigned first = 0;
    auto read = std::from_chars(at, end, first);
    if (read.ec != std::errc{} || first >= kMostCpus) return numbers;
    unsigned last = first;
    if (read.ptr < end && *read.ptr == '-') {
      read = std::from_chars(read.ptr + 1, end, last);
      if (read.ec != std::errc{} || last < first || last >= kMostCpus) return numbers;
    }
    for (unsigned number = first; number <= last; ++number) numbers.push_back(number);
    if (read.ptr == end || *read.ptr != ',') return numbers;
    at = read.ptr + 1;
  }
  return numbers;
}

std::vector<Cpu> read_topology(const sys::Calls& calls, const std::vector<unsigned>& usable) {
  const auto nodes = nodes_by_cpu(calls);
  std::vector<Cpu> cpus;
  for (const unsigned id : usable) {
    const auto node = nodes.find(id);
    cpus.push_back({id, core_of(calls, id), node == nodes.end() ? 0 : node->second});
  }
  return cpus;
}

std::vector<Place> places_for(const std::vector<Cpu>& cpus, const ThreadOptions& asked) {
  const Nodes nodes = by_node(cpus);
  std::vector<Place> places;
  if (!asked.cpu_affinity) {
    if (!asked.numa_aware || nodes.size() < 2) return places;
    for (const auto& node : nodes) places.push_back(place_of(node, 0, node.size()));
    return places;
  }
  const Nodes turns = asked.numa_aware ? nodes : as_one(nodes);
  const std::size_t step = std::max<std::size_t>(1, asked.cpus_per_thread);
  std::size_t longest = 0;
  for (const auto& node : turns) longest = std::max(longest, node.size());
  for (std::size_t from = 0; from < longest; from += step)
    for (const auto& node : turns)
      if (from < node.size()) places.push_back(place_of(node, from, step));
  return places;
}

}  // namespace pwalk
