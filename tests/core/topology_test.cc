#include "topology.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

namespace pwalk {
namespace {

/// A made-up /sys.
class MachineOf : public sys::Calls {
 public:
  explicit MachineOf(std::map<std::string, std::string> files) : files_(std::move(files)) {}
  Result<std::string> read_file(const std::string& path) const override {
    const auto found = files_.find(path);
    return found == files_.end() ? Result<std::string>(fail(ENOENT, path)) : Result<std::string>(found->second);
  }

 private:
  std::map<std::string, std::string> files_;
};

const std::string kCpu = "/sys/devices/system/cpu/cpu", kNode = "/sys/devices/system/node/";

/// Two nodes, numbered 1 and 4, node 7 without CPUs; two cores of two threads on each.
MachineOf two_nodes() {
  return MachineOf({{kCpu + "0/topology/thread_siblings_list", "0,4\n"},
                    {kCpu + "4/topology/thread_siblings_list", "0,4\n"},
                    {kCpu + "1/topology/thread_siblings_list", "1,5\n"},
                    {kCpu + "5/topology/thread_siblings_list", "1,5\n"},
                    {kCpu + "2/topology/thread_siblings_list", "2-3\n"},
                    {kCpu + "3/topology/thread_siblings_list", "2-3\n"},
                    {kCpu + "6/topology/thread_siblings_list", "6-7\n"},
                    {kCpu + "7/topology/thread_siblings_list", "6-7\n"},
                    {kNode + "online", "1,4,7\n"},
                    {kNode + "node1/cpulist", "0-1,4-5\n"},
                    {kNode + "node4/cpulist", "2-3,6-7\n"},
                    {kNode + "node7/cpulist", "\n"}});
}

std::vector<unsigned> cpus_to(unsigned last) {
  std::vector<unsigned> cpus(last + 1);
  std::iota(cpus.begin(), cpus.end(), 0);
  return cpus;
}

ThreadOptions pinned(unsigned each = 1, bool numa_aware = true) {
  ThreadOptions options;
  options.cpu_affinity = true;
  options.cpus_per_thread = each;
  options.numa_aware = numa_aware;
  return options;
}

using Places = std::vector<Place>;

TEST(TopologyTest, ReadsTheKernelsLists) {
  EXPECT_EQ(parse_cpu_list("0-2,8,10-11\n"), (std::vector<unsigned>{0, 1, 2, 8, 10, 11}));
  EXPECT_EQ(parse_cpu_list("3"), (std::vector<unsigned>{3}));
  for (const char* nothing : {"", "\n", "x", "-1", "99999999999", "0-99999999", "5-2"})
    EXPECT_TRUE(parse_cpu_list(nothing).empty()) << nothing;
  EXPECT_EQ(parse_cpu_list("1,,2"), (std::vector<unsigned>{1}));
}

TEST(TopologyTest, CoresAndNodesWithGaps) {
  const auto cpus = read_topology(two_nodes(), {1, 3, 4, 7});
  EXPECT_EQ(cpus, (std::vector<Cpu>{{1, 1, 1}, {3, 2, 4}, {4, 0, 1}, {7, 6, 4}}));
}

TEST(TopologyTest, WhatSysfsDoesNotTellIsACoreOnNodeZero) {
  EXPECT_EQ(read_topology(MachineOf({}), {0, 9}), (std::vector<Cpu>{{0, 0, 0}, {9, 9, 0}}));
  const MachineOf wrong({{kCpu + "2/topology/thread_siblings_list", "0-1\n"}, {kNode + "online", "nonsense"}});
  EXPECT_EQ(read_topology(wrong, {2}), (std::vector<Cpu>{{2, 2, 0}}));
}

TEST(TopologyTest, PinnedThreadsTakeNodesInTurnAndCoresFirst) {
  const auto cpus = read_topology(two_nodes(), cpus_to(7));
  EXPECT_EQ(places_for(cpus, pinned()), (Places{{{0}, 1}, {{2}, 4}, {{1}, 1}, {{6}, 4}, {{4}, 1}, {{3}, 4}, {{5}, 1}, {{7}, 4}}));
  EXPECT_EQ(places_for(cpus, pinned(2)), (Places{{{0, 1}, 1}, {{2, 6}, 4}, {{4, 5}, 1}, {{3, 7}, 4}}));
  EXPECT_EQ(places_for(cpus, pinned(3))[0], (Place{{0, 1, 4}, 1}));
  EXPECT_EQ(places_for(cpus, pinned(3))[2], (Place{{5}, 1})) << "what is left of a node";
  EXPECT_EQ(places_for(cpus, pinned(1, false))[1], (Place{{1}, 1})) << "one node after the other";
}

TEST(TopologyTest, OnlyWhatTheProcessMayUse) {
  const auto cpus = read_topology(two_nodes(), {4, 6});
  EXPECT_EQ(places_for(cpus, pinned()), (Places{{{4}, 1}, {{6}, 4}}));
}

TEST(TopologyTest, WithoutAffinityThreadsAreKeptOnNodesOnlyWhereThereAreSeveral) {
  ThreadOptions options;
  const auto cpus = read_topology(two_nodes(), cpus_to(7));
  EXPECT_EQ(places_for(cpus, options), (Places{{{0, 1, 4, 5}, 1}, {{2, 6, 3, 7}, 4}}));
  EXPECT_EQ(places_for(read_topology(two_nodes(), {0, 4}), options), Places{});
  options.numa_aware = false;
  EXPECT_EQ(places_for(cpus, options), Places{});
  EXPECT_EQ(places_for({}, pinned()), Places{});
}

}  // namespace
}  // namespace pwalk
