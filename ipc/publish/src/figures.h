#pragma once

#include <chrono>

#include "pwalk/ipc/scan_figures.h"
#include "pwalk/scan_stats.h"

namespace pwalk::publish {

/// What consumers are told of a walk: its counts, the time its threads could work,
/// and what this process uses right now.
ipc::ScanFigures figures_of(const ScanStats& stats, std::chrono::nanoseconds elapsed,
                            std::chrono::nanoseconds backpressure);

}  // namespace pwalk::publish
