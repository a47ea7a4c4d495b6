#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cases.h"
#include "placement.h"

namespace pwalk::bench {

/// What one case gave in one round.
struct Sample {
  double value = 0, p99 = 0;
};

/// One round: every case once, in an order drawn anew, the distance of the CPUs
/// probed before, between and after. A round in which it changed is refused.
struct Round {
  std::optional<Distance> distance;  ///< none: mixed
  std::vector<double> probes_ns;     ///< never empty
  std::map<std::size_t, Sample> samples;         ///< by case
  std::map<std::size_t, std::string> problems;
};

/// Of at least one value.
double median(std::vector<double> values);

Round run_round(const std::vector<Case>& cases, std::pair<int, int> cpus, unsigned number);

/// Medians over the rounds of one distance.
struct Row {
  std::string name;
  Workload workload{};
  std::vector<double> values;  ///< sorted
  double median = 0, p99 = 0;
  std::string problem;
};
std::vector<Row> rows_of(const std::vector<Case>& cases, const std::vector<Round>& rounds, Distance distance);

}  // namespace pwalk::bench
