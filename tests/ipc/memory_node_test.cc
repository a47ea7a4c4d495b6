#include "memory_node.h"

#include <gtest/gtest.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "pwalk/ipc/consumer.h"
#include "scan_fixture.h"

namespace pwalk::ipc {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPage = 4096;

struct Policy {
  int mode = -1;
  std::array<unsigned long, 16> nodes{};
  friend bool operator==(const Policy&, const Policy&) = default;
};

Policy policy_of_this_thread() {
  Policy policy;
  EXPECT_EQ(::syscall(SYS_get_mempolicy, &policy.mode, policy.nodes.data(), 1024, nullptr, 0), 0);
  return policy;
}

TEST(MemoryNode, IsPreferredForAsLongAsAsked) {
  const Policy before = policy_of_this_thread();
  {
    const OnMemoryNode here(0);
    const Policy now = policy_of_this_thread();
    EXPECT_EQ(now.mode, MPOL_PREFERRED);
    EXPECT_EQ(now.nodes[0], 1u);
  }
  EXPECT_EQ(policy_of_this_thread(), before);
}

TEST(MemoryNode, NothingChangesForNoneOrOneThatIsNotThere) {
  const Policy before = policy_of_this_thread();
  for (const std::optional<unsigned> node : {std::optional<unsigned>{}, std::optional(1000u), std::optional(5000u)}) {
    const OnMemoryNode here(node);
    EXPECT_EQ(policy_of_this_thread(), before);
  }
}

/// Nodes with their CPUs that this thread may use.
std::map<unsigned, cpu_set_t> nodes_with_cpus() {
  cpu_set_t usable;
  ::sched_getaffinity(0, sizeof usable, &usable);
  std::map<unsigned, cpu_set_t> nodes;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &usable)) continue;
    for (const auto& entry : std::filesystem::directory_iterator("/sys/devices/system/cpu/cpu" + std::to_string(cpu))) {
      const std::string name = entry.path().filename();
      if (name.size() > 4 && name.starts_with("node")) CPU_SET(cpu, &nodes[unsigned(std::stoul(name.substr(4)))]);
    }
  }
  return nodes;
}

/// The node that each page of `bytes` lies on, as move_pages(2) tells.
std::set<int> nodes_of(std::span<const std::byte> bytes) {
  std::vector<void*> pages;
  const auto first = std::uintptr_t(bytes.data()) / kPage * kPage;
  for (std::uintptr_t page = first; page < std::uintptr_t(bytes.data() + bytes.size()); page += kPage) {
    static_cast<void>(*reinterpret_cast<const volatile std::byte*>(std::max(page, std::uintptr_t(bytes.data()))));
    pages.push_back(reinterpret_cast<void*>(page));
  }
  std::vector<int> status(pages.size(), -1);
  EXPECT_EQ(::syscall(SYS_move_pages, 0, pages.size(), pages.data(), nullptr, status.data(), 0), 0);
  return {status.begin(), status.end()};
}

/// Two lanes whose writers run on two nodes, one with batches of kRows[0] rows, the other of kRows[1].
class LaneNodes : public ::testing::TestWithParam<HugePages> {
 protected:
  static constexpr std::uint32_t kRows[] = {2000, 2001};
  static constexpr int kBatches = 300;  // about 50 MB each: beyond what is there from the start

  void SetUp() override {
    for (const auto& [node, cpus] : nodes_with_cpus()) nodes_.emplace_back(node, cpus);
    if (nodes_.size() < 2) GTEST_SKIP() << "there is one NUMA node";
  }

  void publish(ScanSession& session, unsigned worker) {
    ::sched_setaffinity(0, sizeof(cpu_set_t), &nodes_[worker].second);
    testing::BatchSource source;
    for (int i = 0; i < kBatches; ++i) ASSERT_TRUE(session.publish(worker, source.make(kRows[worker])));
  }

  testing::RuntimeDirectory runtime_;
  std::vector<std::pair<unsigned, cpu_set_t>> nodes_;
};

TEST_P(LaneNodes, BlocksLieWhereTheirWritersRun) {
  auto session = ScanSession::create({.name = "nodes", .roots = {"/r"}, .pool_bytes = 256u << 20, .huge_pages = GetParam(),
                                      .lanes = 2, .lane_nodes = {nodes_[0].first, nodes_[1].first}});
  ASSERT_TRUE(session) << session.error().message();
  EXPECT_EQ(session->pool().nodes.size(), 2u);
  std::atomic<bool> over{false};  // stands for itself, relaxed
  std::thread control([&] {
    while (!over.load(std::memory_order_relaxed)) session->serve(10ms);
  });
  std::thread writers[] = {std::thread([&] { publish(*session, 0); }), std::thread([&] { publish(*session, 1); })};
  for (std::thread& writer : writers) writer.join();
  session->finish(true);
  auto consumer = Consumer::attach({.scan = "nodes", .timeout = 10s});
  ASSERT_TRUE(consumer) << consumer.error().message();
  std::map<std::uint32_t, std::map<int, int>> pages;  // rows, node: batches
  for (;;) {
    auto lease = consumer->next(10s);
    ASSERT_TRUE(lease) << lease.error().message();
    if (!*lease) break;
    const auto& view = (*lease)->view();
    for (const int node : nodes_of(view.bytes())) ++pages[view.rows()][node];
  }
  over.store(true, std::memory_order_relaxed);
  session->wake();
  control.join();
  for (const unsigned writer : {0u, 1u}) {
    const auto& found = pages[kRows[writer]];
    // A lane that is being written to sends its next writer to the other one.
    EXPECT_GE(found.at(int(nodes_[writer].first)), kBatches * 9 / 10) << "writer " << writer << ", node " << nodes_[writer].first;
  }
}

INSTANTIATE_TEST_SUITE_P(OfEveryKind, LaneNodes, ::testing::Values(HugePages::off, HugePages::automatic));

}  // namespace
}  // namespace pwalk::ipc
