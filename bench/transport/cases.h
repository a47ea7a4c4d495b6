#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "board.h"

namespace pwalk::bench {

/// The shape of what is carried; decides the unit.
enum class Workload {
  batches,       ///< 64 KiB each, every byte written and read; GB/s
  records,       ///< of 64 bytes; millions per second
  reader_awake,  ///< one way, the reader spinning or about to; ns
  reader_asleep, ///< one way, the reader asleep in the kernel; ns
  four_readers, sixteen_readers,  ///< batches, what all readers together read; GB/s
};

/// One row: a way to carry, and what it carries. `run` is called in a process of
/// its own, pinned to the first CPU; it fills in the board's value or problem.
struct Case {
  std::string name;
  Workload workload;
  std::function<void(Board&, std::pair<int, int> cpus)> run;
};

void add_pwalk_cases(std::vector<Case>& cases);
void add_memory_cases(std::vector<Case>& cases);
void add_kernel_cases(std::vector<Case>& cases);
void add_boost_cases(std::vector<Case>& cases);
#ifdef PWALK_BENCH_ZEROMQ
void add_zeromq_cases(std::vector<Case>& cases);
#endif
#ifdef PWALK_BENCH_ICEORYX
void add_iceoryx_cases(std::vector<Case>& cases);
#endif
void add_python_cases(std::vector<Case>& cases);

}  // namespace pwalk::bench
