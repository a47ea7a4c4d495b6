#pragma once

#include <cstdint>
#include <span>

namespace pwalk::ipc::testing {

/// What the scanner's side made of one input.
struct ReturnsOutcome {
  unsigned published = 0, expelled = 0, evicted = 0, given_back = 0;
};

/// What the fuzzer tries with one input: broadcast consumers and members of groups that take
/// and return, honestly or with whatever cursors, return-ring entries, tails and ledger words the
/// input says, come, leave and die, between the scanner's publishing, draining and looking after.
/// Traps if one that never lied is thrown out, if a witness that reads everything
/// sees another byte than was published, or is not told the end's true figures. Never comes back
/// if the pool is not free again once all but the witness are gone.
ReturnsOutcome returns_fuzz(std::span<const std::uint8_t> input);

}  // namespace pwalk::ipc::testing
