#include "rounds.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <numeric>
#include <random>

#include "pwalk/base/unique_fd.h"

namespace pwalk::bench {
namespace {

constexpr int kPatienceMs = 20'000;

/// Waits for `child`; one that takes too long is ended with all it started.
bool ended_well(pid_t child) {
  const UniqueFd handle(int(::syscall(SYS_pidfd_open, child, 0)));
  pollfd wait{handle.get(), POLLIN, 0};
  const bool ended = ::poll(&wait, 1, kPatienceMs) > 0;
  ::kill(-child, SIGKILL);  // its process group: readers that were left behind
  int status = 0;
  ::waitpid(child, &status, 0);
  return ended && status == 0;
}

/// In a process group of its own, so that nothing of one case is left in the next.
void run_apart(const Case& each, Board& board, std::pair<int, int> cpus) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    run_on(cpus.first);
    run_in_real_time();
    try {
      each.run(board, cpus);
    } catch (const std::exception& problem) {
      board.fail(problem.what());
    }
    ::_exit(0);
  }
  ::setpgid(child, child);
  if (!ended_well(child) && board.problem[0] == 0) board.fail("it did not end in time, or badly");
}

void run_case(const Case& each, std::size_t number, std::pair<int, int> cpus, Round& round) {
  Board& board = new_board();
  run_apart(each, board, cpus);
  if (board.problem[0] != 0)
    round.problems[number] = board.problem.data();
  else
    round.samples[number] = {board.value, board.p99};
  ::munmap(&board, sizeof board);
}

bool of_one_placement(const std::vector<double>& probes_ns) {
  const auto [least, most] = std::minmax_element(probes_ns.begin(), probes_ns.end());
  return *most <= *least * kSamePlacement;
}

}  // namespace

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + long(values.size() / 2), values.end());
  return values[values.size() / 2];
}

Round run_round(const std::vector<Case>& cases, std::pair<int, int> cpus, unsigned number) {
  std::vector<std::size_t> order(cases.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), std::mt19937(number));
  Round round;
  round.probes_ns.push_back(probe_distance(cpus));
  for (const std::size_t at : order) {
    run_case(cases[at], at, cpus, round);
    round.probes_ns.push_back(probe_distance(cpus));
    if (!of_one_placement(round.probes_ns)) return round;
  }
  round.distance = distance_of(median(round.probes_ns));
  return round;
}

std::vector<Row> rows_of(const std::vector<Case>& cases, const std::vector<Round>& rounds, Distance distance) {
  std::vector<Row> rows;
  for (std::size_t number = 0; number < cases.size(); ++number) {
    Row row;
    row.name = cases[number].name;
    row.workload = cases[number].workload;
    std::vector<double> p99s;
    for (const Round& round : rounds) {
      if (round.distance != distance) continue;
      if (const auto problem = round.problems.find(number); problem != round.problems.end()) row.problem = problem->second;
      const auto sample = round.samples.find(number);
      if (sample == round.samples.end()) continue;
      row.values.push_back(sample->second.value);
      p99s.push_back(sample->second.p99);
    }
    if (!row.values.empty()) {
      std::sort(row.values.begin(), row.values.end());
      row.median = median(row.values);
      row.p99 = median(p99s);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace pwalk::bench
