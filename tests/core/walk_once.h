#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "pwalk/scanner.h"
#include "support/collecting_sink.h"
#include "sys/calls.h"

namespace pwalk::testing {

/// Options for a walk with a fixed number of threads that leaves nothing out.
inline ScanOptions plain_options(unsigned threads = 1) {
  ScanOptions options;
  options.threads.auto_tune = false;
  options.threads.max_threads = threads;
  options.traversal.ignore_snapshots = false;
  return options;
}

/// What two multisets of lines do not share, a few of each; empty if they are equal.
inline std::string difference(std::vector<std::string> actual, std::vector<std::string> expected) {
  std::sort(actual.begin(), actual.end());
  std::sort(expected.begin(), expected.end());
  std::string text;
  const auto list = [&](const char* title, const auto& from, const auto& without) {
    std::vector<std::string> only;
    std::set_difference(from.begin(), from.end(), without.begin(), without.end(), std::back_inserter(only));
    for (std::size_t at = 0; at < only.size() && at < 5; ++at) text += title + ::testing::PrintToString(only[at]) + "\n";
    if (only.size() > 5) text += "and " + std::to_string(only.size() - 5) + " more\n";
  };
  list("too much: ", actual, expected);
  list("missing: ", expected, actual);
  return text;
}

/// Plans and walks to the end; checks what must hold after every walk.
inline ScanStats walk_once(const ScanOptions& options, const std::vector<std::string>& roots, CollectingSink& sink,
                           const sys::Calls& calls = sys::real_calls(),
                           const std::function<void(ScanPlan&)>& adjust = {}) {
  auto plan = resolve_plan(options, roots, calls);
  if (!plan) {
    ADD_FAILURE() << plan.error().message();
    return {};
  }
  if (adjust) adjust(*plan);
  Scanner scanner(*plan, sink, calls);
  if (auto started = scanner.start(); !started) ADD_FAILURE() << started.error().message();
  const ScanStats stats = scanner.wait();
  const ScanCounts& counts = stats.counts;
  EXPECT_EQ(counts.entries, counts.files + counts.directories + counts.symlinks + counts.others);
  EXPECT_EQ(stats.waiting_directories, 0u);
  EXPECT_THAT(sink.complaints, ::testing::IsEmpty());
  EXPECT_TRUE(sink.refusing || counts.entries == sink.row_count) << counts.entries << " and " << sink.row_count;
  return stats;
}

}  // namespace pwalk::testing
