#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "carry.h"

/// Python's multiprocessing.Queue; queue_bench.py does the work and prints one number.
namespace pwalk::bench {
namespace {

void run_python(Board& board, std::pair<int, int> cpus, const char* workload) {
  const std::string command =
      fmt::format("/usr/bin/python3 {}/queue_bench.py {} {} {}", PWALK_BENCH_SOURCE, workload, cpus.first, cpus.second);
  std::FILE* output = ::popen(command.c_str(), "r");
  if (!output || std::fscanf(output, "%lf", &board.value) != 1) board.fail("it printed no figure");
  if (output) ::pclose(output);
}

}  // namespace

void add_python_cases(std::vector<Case>& cases) {
  const std::pair<Workload, const char*> all[] = {{Workload::batches, "batches"},
                                                  {Workload::records, "records"},
                                                  {Workload::reader_asleep, "asleep"}};
  for (const auto& [workload, word] : all)
    cases.push_back({"multiprocessing.Queue", workload,
                     [text = word](Board& board, std::pair<int, int> cpus) { run_python(board, cpus, text); }});
}

}  // namespace pwalk::bench
