#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "chaos/habits.h"
#include "pwalk/ipc/batch_lease.h"

namespace pwalk::ipc::chaos {

/// Batches that a consumer keeps for a while. Whatever happens to it, to the scan and to others, none may change.
class HeldBatches {
 public:
  /// Keeps it, pauses, and lets one go, any, if these are more than it holds. "", or what is wrong with that one.
  std::string keep(BatchLease lease, const Habits& habits, std::mt19937_64& random);
  std::string drop_all();

 private:
  std::string drop_one(std::mt19937_64& random);
  struct Held {
    BatchLease lease;
    std::uint64_t hash = 0;  ///< of its rows, when it came
  };
  static std::string look(const Held& held);
  std::vector<Held> held_;
};

}  // namespace pwalk::ipc::chaos
