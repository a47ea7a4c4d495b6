#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "pwalk/ipc/batch_lease.h"

namespace pwalk::ipc::chaos {

/// Batches that a consumer keeps for a while. Whatever happens to it, to the scan and to others, none may change.
class HeldBatches {
 public:
  void keep(BatchLease lease);
  std::size_t size() const { return held_.size(); }
  /// Lets one go, any. "", or what is wrong with it.
  std::string drop_one(std::mt19937_64& random);
  std::string drop_all();

 private:
  struct Held {
    BatchLease lease;
    std::uint64_t hash = 0;  ///< of its rows, when it came
  };
  static std::string look(const Held& held);
  std::vector<Held> held_;
};

}  // namespace pwalk::ipc::chaos
