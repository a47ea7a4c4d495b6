#include "server_queues.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "frontier.h"
#include "support/tree_builder.h"

namespace pwalk {
namespace {

NodePtr node_named(const std::string& name) { return DirectoryNode::make({}, name, {}); }

void push(ServerQueues& queues, const std::string& name, unsigned slot) {
  DirectoryNode* const node = node_named(name).detach();
  node->server = std::uint8_t(slot);
  queues.push(node);
}

std::string taken(ServerQueues& queues, unsigned worker) {
  const NodePtr node(queues.take(worker), false);
  return node ? std::string(node->name_view()) : "nothing";
}

TEST(ServerQueues, AreInUseOnceThereAreTwoServers) {
  ServerQueues queues(2);
  EXPECT_FALSE(queues.is_in_use());
  queues.serve(0, 7);
  queues.serve(1, 7);
  queues.serve(0, ServerQueues::kNoServer);
  EXPECT_FALSE(queues.is_in_use());
  queues.serve(1, 8);
  EXPECT_TRUE(queues.is_in_use());
}

TEST(ServerQueues, GiveTheNewestOfTheServerWithTheFewestThreads) {
  ServerQueues queues(5);
  for (const char* name : {"a1", "a2", "a3"}) push(queues, name, 1);
  for (const char* name : {"b1", "b2"}) push(queues, name, 2);
  queues.serve(0, 1), queues.serve(1, 1), queues.serve(2, 2);
  EXPECT_EQ(taken(queues, 3), "b2") << "one thread there, two at the other";
  EXPECT_EQ(taken(queues, 3), "b1") << "one's own place does not count against the server";
  EXPECT_EQ(taken(queues, 4), "a3") << "nothing else waits";
  queues.serve(0, ServerQueues::kNoServer);
  EXPECT_EQ(taken(queues, 0), "a2");
  EXPECT_EQ(taken(queues, 0), "a1");
  EXPECT_EQ(taken(queues, 0), "nothing");
  EXPECT_TRUE(queues.looks_empty());
  EXPECT_EQ(queues.waiting_bytes(), 0u);
}

TEST(ServerQueues, ADirectoryInTheWrongQueueCountsWhereItIs) {
  ServerQueues queues(3);
  for (const char* name : {"a1", "a2"}) push(queues, name, 1);
  push(queues, "b1", 2);
  queues.serve(0, 1);
  EXPECT_EQ(taken(queues, 1), "b1");
  queues.serve(1, 1);  // it was on server 1 after all, where there are two now
  push(queues, "b2", 2);
  EXPECT_EQ(taken(queues, 2), "b2");
}

TEST(ServerQueues, SpreadThreadsEvenlyWhileEveryServerHasWork) {
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE("PWALK_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 50; ++round) {
    const unsigned servers = 2 + unsigned(random() % 6), workers = servers * (1 + unsigned(random() % 8));
    ServerQueues queues(workers);
    std::vector<unsigned> at(workers, ServerQueues::kNoServer), threads(servers);
    for (unsigned step = 0; step < 20 * workers; ++step) {
      for (unsigned server = 0; server < servers; ++server) push(queues, "x", server);
      const unsigned worker = step < workers ? step : unsigned(random() % workers);
      const NodePtr node(queues.take(worker), false);
      if (at[worker] != ServerQueues::kNoServer) --threads[at[worker]];
      ++threads[at[worker] = node->server];
      const auto [least, most] = std::minmax_element(threads.begin(), threads.end());
      ASSERT_LE(*most - *least, 1u);
    }
  }
}

TEST(ServerQueues, AnyNumberHasAQueue) {
  for (const std::uint64_t device : {std::uint64_t{0}, std::uint64_t{52}, ~std::uint64_t{0}})
    for (const std::uint32_t server : {0u, 1u, 63u, 64u, 0x7FFFFFFFu, ~0u}) EXPECT_LT(ServerQueues::slot_of(device, server), ServerQueues::kSlots);
  EXPECT_NE(ServerQueues::slot_of(52, 0), ServerQueues::slot_of(52, 1));
}

/// Everything that is pushed comes out once, by whomever; what was pushed before there were two servers too.
TEST(FrontierByServer, GivesEachDirectoryOnce) {
  constexpr unsigned kWorkers = 4;
  constexpr int kEach = 5000;  // more than a deque holds
  Frontier frontier(kWorkers, 32 << 20, true);
  std::set<std::string> seen;
  std::mutex mutex;
  for (unsigned worker = 0; worker < kWorkers; ++worker) frontier.push(worker, node_named("first " + std::to_string(worker)));
  const auto walk = [&](unsigned worker) {
    for (bool more = true; more;) {
      NodePtr node = frontier.take_own(worker);
      if (!node) node = frontier.steal(worker);
      if (!node) {
        more = frontier.wait(worker);
        continue;
      }
      const std::string name(node->name_view());
      if (name.find('/') == name.npos)
        for (int i = 0; i < kEach; ++i) {
          const unsigned server = i % 7 == 0 ? ServerQueues::kNoServer : unsigned(i % 3);
          if (i == kEach / 2) frontier.serve(worker, worker % 3);
          frontier.push(worker, node_named(name + "/" + std::to_string(i)), server);
        }
      {
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(seen.insert(name).second) << name << " came twice";
      }
      frontier.finish(worker);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned worker = 0; worker < kWorkers; ++worker) threads.emplace_back(walk, worker);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen.size(), kWorkers * (kEach + 1u));
  EXPECT_EQ(frontier.outstanding(), 0u);
  for (unsigned worker = 0; worker < kWorkers; ++worker) EXPECT_TRUE(frontier.is_below_half_share(worker));
}

TEST(FrontierByServer, WhatIsLeftIsDropped) {
  Frontier frontier(2, 1 << 20, true);
  frontier.serve(0, 1), frontier.serve(0, 2);
  for (unsigned server : {1u, 2u, ServerQueues::kNoServer}) frontier.push(0, node_named("left"), server);
}

TEST(FrontierByServer, WaitingDirectoriesCountForEverybody) {
  Frontier frontier(2, 2 * 64 * 1024, true);
  frontier.serve(0, 1), frontier.serve(0, 2);
  while (!frontier.is_above_share(1)) {
    frontier.push(0, node_named(std::string(200, 'x')), 1);
    ASSERT_LT(frontier.outstanding(), 2u * 64 * 1024 / 200);
  }
  EXPECT_TRUE(frontier.is_above_share(0));
}

}  // namespace
}  // namespace pwalk
