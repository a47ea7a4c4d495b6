/// The transport against its peers, between two CPUs whose distance is probed.
///
///   transport_bench [--rounds N] [--json FILE] [--only TEXT]
///
/// TEXT: part of "row: heading".
/// A table per distance in Markdown. Ends with 1 if no round was of one distance.
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "rounds.h"

namespace pwalk::bench {
namespace {

struct Options {
  unsigned rounds = 7;
  std::string json, only;
};

std::optional<Options> options_from(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string word = argv[i];
    if (word == "--rounds")
      options.rounds = unsigned(std::max(1, std::atoi(argv[i + 1])));
    else if (word == "--json")
      options.json = argv[i + 1];
    else if (word == "--only")
      options.only = argv[i + 1];
    else
      return std::nullopt;
  }
  return argc % 2 == 1 ? std::optional(options) : std::nullopt;
}

const char* title(Workload workload) {
  switch (workload) {
    case Workload::batches: return "batches of 64 KiB, GB/s";
    case Workload::records: return "records of 64 bytes, millions/s";
    case Workload::reader_awake: return "one way, reader awake, ns (p99)";
    case Workload::reader_asleep: return "one way, reader asleep, ns (p99)";
    case Workload::four_readers: return "4 readers, GB/s together";
    case Workload::sixteen_readers: return "16 readers, GB/s together";
  }
  return "";
}

/// iox-roudi for as long as this lives; iceoryx needs it.
class Roudi {
 public:
  Roudi() {
#ifdef PWALK_BENCH_ICEORYX
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      run_in_real_time();
      if (!std::freopen("/dev/null", "w", stdout) || !std::freopen("/dev/null", "w", stderr)) ::_exit(1);
      ::execlp("iox-roudi", "iox-roudi", static_cast<char*>(nullptr));
      ::_exit(127);
    }
    std::this_thread::sleep_for(std::chrono::seconds(1));  // it says nothing a program could wait for
    if (int status = 0; ::waitpid(pid_, &status, WNOHANG) == pid_) pid_ = -1;
#endif
  }
  Roudi(const Roudi&) = delete;
  Roudi& operator=(const Roudi&) = delete;
  ~Roudi() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  bool runs() const { return pid_ > 0; }

 private:
  pid_t pid_ = -1;
};

std::vector<Case> cases_matching(const std::string& text, bool roudi_runs) {
  std::vector<Case> cases;
  add_memory_cases(cases);
  add_pwalk_cases(cases);
#ifdef PWALK_BENCH_ICEORYX
  if (roudi_runs)
    add_iceoryx_cases(cases);
  else
    std::cerr << "left out: iceoryx, iox-roudi does not run\n";
#else
  static_cast<void>(roudi_runs);
  std::cerr << "left out: iceoryx, libiceoryx-posh-dev was not there at build time\n";
#endif
  add_boost_cases(cases);
  add_kernel_cases(cases);
#ifdef PWALK_BENCH_ZEROMQ
  add_zeromq_cases(cases);
#else
  std::cerr << "left out: ZeroMQ, libzmq3-dev was not there at build time\n";
#endif
  add_python_cases(cases);
  std::erase_if(cases, [&](const Case& each) {
    return fmt::format("{}: {}", each.name, title(each.workload)).find(text) == std::string::npos;
  });
  return cases;
}

/// Latencies in whole ns with their p99, throughput with its range.
std::string figures(const Row& row) {
  if (row.values.empty()) return row.problem.empty() ? "-" : row.problem;
  if (row.workload == Workload::reader_awake || row.workload == Workload::reader_asleep)
    return row.p99 > 0 ? fmt::format("{:.0f} ({:.0f})", row.median, row.p99) : fmt::format("{:.0f}", row.median);
  return fmt::format("{:.2f} | {:.2f} to {:.2f}", row.median, row.values.front(), row.values.back());
}

/// The probes of all rounds of one distance.
std::vector<double> probes_of(const std::vector<Round>& rounds, Distance distance) {
  std::vector<double> probes;
  for (const Round& round : rounds)
    if (round.distance == distance) probes.insert(probes.end(), round.probes_ns.begin(), round.probes_ns.end());
  return probes;
}

void print_table(const std::vector<Row>& rows, Distance distance, double probe_ns, std::size_t rounds) {
  fmt::print("\n## {} ({:.0f} ns): {} rounds\n", word_for(distance), probe_ns, rounds);
  Workload last{};
  bool first = true;
  for (const Workload workload : {Workload::batches, Workload::records, Workload::reader_awake, Workload::reader_asleep,
                                  Workload::four_readers, Workload::sixteen_readers})
    for (const Row& row : rows) {
      if (row.workload != workload) continue;
      if (first || last != workload) fmt::print("\n| {} | median | range |\n|---|---|---|\n", title(workload));
      first = false;
      last = workload;
      fmt::print("| {} | {} |\n", row.name, figures(row));
    }
}

nlohmann::json as_json(const std::vector<Row>& rows, Distance distance, const std::vector<Round>& rounds) {
  nlohmann::json table{{"distance", word_for(distance)}, {"rows", nlohmann::json::array()}};
  table["probes_ns"] = probes_of(rounds, distance);
  for (const Row& row : rows)
    table["rows"].push_back({{"name", row.name},
                             {"workload", title(row.workload)},
                             {"distance", word_for(distance)},
                             {"median", row.median},
                             {"p99", row.p99},
                             {"values", row.values},
                             {"problem", row.problem}});
  return table;
}

/// Rounds until one distance has as many as asked, or the host moves the CPUs too often.
std::vector<Round> collect(const std::vector<Case>& cases, std::pair<int, int> cpus, unsigned wanted) {
  std::vector<Round> rounds;
  unsigned near = 0, far = 0, mixed = 0;
  for (unsigned number = 0; number < 3 * wanted && std::max(near, far) < wanted; ++number) {
    rounds.push_back(run_round(cases, cpus, number));
    const auto& distance = rounds.back().distance;
    (distance ? (*distance == Distance::near ? near : far) : mixed) += 1;
    const auto [least, most] = std::minmax_element(rounds.back().probes_ns.begin(), rounds.back().probes_ns.end());
    fmt::print(stderr, "round {}: {}, {:.0f} to {:.0f} ns\n", number, distance ? word_for(*distance) : "mixed, refused",
               *least, *most);
  }
  return rounds;
}

int run(const Options& options) {
  const auto cpus = two_cpus();
  if (cpus.first == cpus.second) {
    std::cerr << "transport_bench: it takes two CPUs\n";
    return 2;
  }
  std::string home = "/dev/shm/pwalk-bench.XXXXXX";
  if (!::mkdtemp(home.data())) return 2;
  ::setenv("PWALK_RUNTIME_DIR", home.c_str(), 1);
  const Roudi roudi;
  const std::vector<Case> cases = cases_matching(options.only, roudi.runs());
  const std::vector<Round> rounds = collect(cases, cpus, options.rounds);
  std::filesystem::remove_all(home);

  nlohmann::json tables = nlohmann::json::array();
  for (const Distance distance : {Distance::near, Distance::far}) {
    const auto count = std::count_if(rounds.begin(), rounds.end(), [&](const Round& r) { return r.distance == distance; });
    if (count == 0) continue;
    const std::vector<Row> rows = rows_of(cases, rounds, distance);
    print_table(rows, distance, median(probes_of(rounds, distance)), std::size_t(count));
    tables.push_back(as_json(rows, distance, rounds));
  }
  if (!options.json.empty()) std::ofstream(options.json) << tables.dump(1) << "\n";
  return tables.empty() ? 1 : 0;
}

}  // namespace
}  // namespace pwalk::bench

int main(int argc, char** argv) {
  const auto options = pwalk::bench::options_from(argc, argv);
  if (!options) {
    std::cerr << "transport_bench: usage: transport_bench [--rounds N] [--json FILE] [--only TEXT]\n";
    return 2;
  }
  return pwalk::bench::run(*options);
}
