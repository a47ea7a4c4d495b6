#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "attribute_reader.h"
#include "backend_choice.h"
#include "frontier.h"
#include "mount_profiles.h"
#include "name_filter.h"
#include "open_directories.h"
#include "pwalk/batch_sink.h"
#include "pwalk/known_tree.h"
#include "pwalk/scan_plan.h"
#include "pwalk/walk_control.h"
#include "split_directories.h"
#include "sys/calls.h"

namespace pwalk {

/// What all workers of one walk share.
struct Walk {
  Walk(const ScanPlan& scan_plan, BatchSink& batch_sink, const sys::Calls& system_calls,
       std::atomic<bool>& stop_flag, NameFilter name_filter, WalkControl* walk_control = nullptr,
       const KnownTree* known_tree = nullptr)
      : plan(scan_plan),
        sink(batch_sink),
        calls(system_calls),
        control(walk_control),
        resolves_links((walk_control || scan_plan.options.attributes.resolve_links) &&
                       !scan_plan.options.traversal.follow_links),
        known(known_tree),
        filter(std::move(name_filter)),
        stop(stop_flag),
        attributes(system_calls, scan_plan.use_statx),
        directories(system_calls, attributes, scan_plan, stop),
        cut_short(new std::atomic<bool>[scan_plan.roots.size()]{}),
        mounts(scan_plan, system_calls),
        backends(new BackendChoice[scan_plan.roots.size()]),
        frontier(scan_plan.most_threads, scan_plan.frontier_bytes, scan_plan.options.threads.work_stealing) {
    for (std::size_t root = 0; root < scan_plan.roots.size(); ++root) {
      const AskBy ask_by = scan_plan.roots[root].ask_by;
      if (ask_by != AskBy::threads)
        backends[root].set(ask_by == AskBy::ring ? BackendChoice::State::ring : BackendChoice::State::open);
    }
  }

  const ScanPlan& plan;
  BatchSink& sink;
  const sys::Calls& calls;
  WalkControl* const control;  ///< who holds the walk back, or null
  const bool resolves_links;  ///< `flags` tells which of them lead to a directory
  const KnownTree* const known;  ///< what an earlier scan knew, or null
  const NameFilter filter;
  /// Set once, by cancel(), a sink that refuses, or a lack of memory. Relaxed:
  /// workers notice a name later.
  std::atomic<bool>& stop;
  const AttributeReader attributes;
  OpenDirectories directories;
  /// Per root: something below it was never looked at. Relaxed: read after the end.
  const std::unique_ptr<std::atomic<bool>[]> cut_short;
  MountProfiles mounts;
  const std::unique_ptr<BackendChoice[]> backends;  ///< per root
  std::atomic<bool> used_ring{false};               ///< ever; relaxed
  Frontier frontier;  ///< what is left in it at the end refers to all above
  SplitDirectories split{frontier};
};

}  // namespace pwalk
