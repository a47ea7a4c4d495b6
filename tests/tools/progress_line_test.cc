#include "scan/progress_line.h"

#include <gtest/gtest.h>

namespace pwalk::tools {
namespace {

TEST(ProgressTextTest, everything_there_is_to_say) {
  ScanStats stats;
  stats.counts.entries = 1234567;
  stats.counts.errors = 12;
  stats.waiting_directories = 3400;
  ProgressFacts facts;
  facts.name = "home";
  facts.state = "walking";
  facts.consumers = 2;
  facts.starved = true;
  facts.seconds = 187;
  facts.rate = 45600;
  EXPECT_EQ(progress_text(stats, facts),
            "home  walking  1.23M entries  45.6k/s  12 errors  3.40k directories waiting  2 consumers  pool full  3:07");
}

TEST(ProgressTextTest, how_many_threads_and_why_where_that_adapts) {
  ProgressFacts facts;
  facts.name = "home";
  facts.state = "walking";
  ScanStats stats;
  stats.wanted_threads = 16;
  stats.threads_reason = "halved: errors or stalls";
  EXPECT_EQ(progress_text(stats, facts), "home  walking  0 entries  0/s  0 consumers  0.00 s  16 threads, halved: errors or stalls");
  stats.wanted_threads = 1;
  EXPECT_EQ(progress_text(stats, facts), "home  walking  0 entries  0/s  0 consumers  0.00 s  1 thread, halved: errors or stalls");
}

TEST(ProgressTextTest, nothing_that_is_not_so) {
  ProgressFacts facts;
  facts.name = "home";
  facts.state = "waiting";
  facts.consumers = 1;
  EXPECT_EQ(progress_text(ScanStats{}, facts), "home  waiting  0 entries  0/s  1 consumer  0.00 s");
}

}  // namespace
}  // namespace pwalk::tools
