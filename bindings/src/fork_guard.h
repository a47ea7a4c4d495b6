#pragma once

#include <cstdint>

namespace pwalk::bindings {

/// Knows whether it is used in the process that made it. A forked child shares the parent's mapping,
/// but not its place in the stream: what the parent gives back is recycled under the child.
/// Costs one load; thread-safe.
class ForkGuard {
 public:
  ForkGuard();
  bool in_forked_child() const;

 private:
  std::uint64_t generation_;
};

}  // namespace pwalk::bindings
