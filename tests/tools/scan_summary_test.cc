#include "scan/scan_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace pwalk::tools {
namespace {

using nlohmann::json;
using publish::Ending;
using std::chrono::system_clock;

ScanSummary sample() {
  ScanSummary summary;
  summary.name = "home";
  summary.host = "here";
  summary.backend = "threads";
  summary.pages = "4K";
  summary.uid = 7;
  summary.started = system_clock::time_point(std::chrono::milliseconds(1'700'000'000'123));
  summary.finished = summary.started + std::chrono::seconds(2);
  summary.roots = {"/home", "/h\xff"};
  summary.usage = {1.5, 4096};
  summary.outcome.wall_seconds = 2;
  summary.outcome.batches = 9;
  summary.outcome.backpressure_seconds = 0.75;
  ScanStats& stats = summary.outcome.stats;
  stats.complete = true;
  stats.threads = 3;
  stats.workers = {{1'000'000'000, 0}, {1'000'000'000, 250'000'000}, {2'000'000'000, 1'000'000'000}};
  stats.counts.entries = 1000;
  stats.counts.files = 900;
  stats.counts.bytes = 5000;
  stats.open = {1500, 99000, 10};
  RootStats root;
  root.path = "/h\xff";
  root.mount = "/";
  root.filesystem = "ext4";
  root.profile = "local";
  root.counts = stats.counts;
  root.complete = true;
  stats.roots.push_back(root);
  return summary;
}

TEST(ScanSummaryTest, has_every_key_and_no_other) {
  std::vector<std::string> keys;
  const auto object = sample().to_json();
  for (const auto& item : object.items()) keys.push_back(item.key());
  EXPECT_THAT(keys, testing::ElementsAre(
                        "name", "roots", "host", "uid", "version", "started", "finished", "complete", "entries",
                        "files", "directories", "symlinks", "others", "errors", "vanished", "skipped", "bytes",
                        "wall_seconds", "cpu_seconds", "entries_per_second", "peak_memory_bytes", "batches",
                        "backpressure_seconds", "threads", "thread_efficiency", "worker_efficiency",
                        "huge_pages", "backend", "latency_us", "per_root"));
}

TEST(ScanSummaryTest, values) {
  const json object = sample().to_json();
  EXPECT_EQ(object["started"], "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(object["finished"], "2023-11-14T22:13:22.123Z");
  EXPECT_EQ(object["complete"], true);
  EXPECT_EQ(object["entries_per_second"], 500.0);
  EXPECT_EQ(object["peak_memory_bytes"], 4096);
  EXPECT_EQ(object["thread_efficiency"], 0.5);  // 4 s, of which 1.25 idle and 0.75 waiting for consumers
  EXPECT_EQ(object["worker_efficiency"], (json{1.0, 0.75, 0.5}));
  EXPECT_EQ(object["latency_us"]["open"], (json{{"p50", 1.5}, {"p99", 99.0}, {"count", 10}}));
  EXPECT_EQ(object["per_root"][0]["counts"]["entries"], 1000);
  EXPECT_EQ(object["per_root"][0]["filesystem"], "ext4");
}

TEST(ScanSummaryTest, says_why_so_many_threads_walk_where_that_adapts) {
  ScanSummary summary = sample();
  summary.outcome.stats.threads_reason = "halved: errors or stalls";
  EXPECT_EQ(summary.to_json()["threads_reason"], "halved: errors or stalls");
}

TEST(ScanSummaryTest, paths_that_are_no_utf8_are_shown_and_given_exactly) {
  const json object = sample().to_json();
  EXPECT_EQ(object["roots"], (json{"/home", "/h\\xff"}));
  EXPECT_EQ(object["per_root"][0]["path"], "/h\\xff");
  EXPECT_EQ(object["per_root"][0]["path_base64"], "L2j/");
  EXPECT_NO_THROW(object.dump());
}

TEST(ScanSummaryTest, exit_codes) {
  ScanSummary summary = sample();
  EXPECT_EQ(summary.exit_code(), 0);
  summary.outcome.stats.counts.errors = 1;
  EXPECT_EQ(summary.exit_code(), 1);
  summary.outcome.stats.complete = false;
  EXPECT_EQ(summary.exit_code(), 3);
  for (Ending ending : {Ending::no_consumer, Ending::interrupted, Ending::no_root, Ending::failed}) {
    summary = sample();
    summary.outcome.ending = ending;
    EXPECT_EQ(summary.exit_code(), 3);
    EXPECT_FALSE(summary.complete());
  }
}

TEST(ScanSummaryTest, text_for_people) {
  ScanSummary summary = sample();
  EXPECT_EQ(summary.to_text(),
            "home: 1,000 entries (900 files, 0 directories, 0 links, 0 others), 4.88 KiB in 2.00 s, 500/s");
  summary.outcome.stats.counts.errors = 2;
  summary.outcome.stats.counts.skipped = 3;
  summary.outcome.ending = Ending::interrupted;
  EXPECT_THAT(summary.to_text(), testing::HasSubstr(", 2 errors, 3 skipped in"));
  EXPECT_THAT(summary.to_text(), testing::EndsWith("; stopped by a signal"));
}

}  // namespace
}  // namespace pwalk::tools
