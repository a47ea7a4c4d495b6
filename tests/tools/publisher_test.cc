#include "pwalk/publish/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace pwalk::publish {
namespace {

/// A tree of 21 entries and a runtime directory of the test's own.
class PublisherTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/dev/shm/pwt.XXXXXX";
    base_ = ::mkdtemp(pattern.data());
    ::setenv("PWALK_RUNTIME_DIR", (base_ / "run").c_str(), 1);
    std::filesystem::create_directory(base_ / "run");
    std::filesystem::permissions(base_ / "run", std::filesystem::perms::owner_all);
    std::filesystem::create_directory(base_ / "tree");
    for (int i = 0; i < 20; ++i) std::ofstream(base_ / "tree" / std::to_string(i)) << "12345";
  }
  void TearDown() override { std::filesystem::remove_all(base_); }

  ScanPlan plan(const std::string& root) const {
    auto resolved = resolve_plan(ScanOptions{}, {root});
    EXPECT_TRUE(resolved) << (resolved ? "" : resolved.error().message());
    return *std::move(resolved);
  }
  ScanPlan plan() const { return plan(base_ / "tree"); }

  ipc::ScanSession session() const {
    ipc::SessionOptions options;
    options.name = "published";
    options.pool_bytes = 2 << 20;
    options.huge_pages = ipc::HugePages::off;
    auto made = ipc::ScanSession::create(options);
    EXPECT_TRUE(made) << (made ? "" : made.error().message());
    return *std::move(made);
  }

  std::filesystem::path base_;
};

TEST_F(PublisherTest, unattended_scan_runs_to_its_end) {
  auto session = this->session();
  int progress = 0;
  Observer observer;
  observer.progress = [&](const ScanStats&, const ipc::ScanSession&) { ++progress; };
  const Outcome outcome = run(plan(), session, {}, true, observer);
  EXPECT_EQ(outcome.ending, Ending::complete);
  EXPECT_TRUE(outcome.stats.complete);
  EXPECT_EQ(outcome.stats.counts.entries, 21u);
  EXPECT_EQ(outcome.stats.counts.bytes, 100u);
  EXPECT_GE(outcome.batches, 1u);
  EXPECT_GE(progress, 1);
  EXPECT_FALSE(outcome.abandoned);
}

TEST_F(PublisherTest, told_to_stop_before_it_began) {
  auto session = this->session();
  Observer observer;
  observer.stop_requested = [] { return 1; };
  const Outcome outcome = run(plan(), session, {}, true, observer);
  EXPECT_EQ(outcome.ending, Ending::interrupted);
  EXPECT_EQ(outcome.stats.counts.entries, 0u);
}

TEST_F(PublisherTest, notice_names_the_command_to_attach) {
  auto session = this->session();
  std::vector<std::string> notices;
  PublishOptions options;
  options.attach_timeout = Seconds{0.1};
  Observer observer;
  observer.notice = [&](const std::string& text) { notices.push_back(text); };
  const Outcome outcome = run(plan(), session, options, false, observer);
  EXPECT_EQ(outcome.ending, Ending::no_consumer);
  EXPECT_THAT(notices, testing::ElementsAre("walk ended, waiting for a consumer; attach with: pwalk tail published"));
}

TEST_F(PublisherTest, nothing_to_walk_counts_every_root) {
  auto missing = resolve_plan(ScanOptions{}, {"/no/such/root", "/nor/this"});
  ASSERT_TRUE(missing);
  const auto outcome = nothing_to_walk(*missing);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->ending, Ending::no_root);
  EXPECT_EQ(outcome->stats.counts.errors, 2u);
  EXPECT_EQ(outcome->stats.roots.size(), 2u);
  EXPECT_FALSE(nothing_to_walk(plan()));
}

}  // namespace
}  // namespace pwalk::publish
