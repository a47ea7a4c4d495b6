#pragma once

#include <cstdint>
#include <span>

namespace pwalk::ipc::testing {

/// What a consumer got out of one input.
struct StreamOutcome {
  unsigned read = 0;    ///< batches whose every row was read
  unsigned failed = 0;  ///< calls of next() that were errors
  unsigned ended = 0;   ///< 1 if the stream came to an end
};

/// What the fuzzer tries with one input: a consumer (broadcast, of a group, or of a rank; of its
/// own user's scanner, or of a stranger's) on memory in which the scanner's geometry, heads,
/// descriptors, state, end and batches, the words it shares with the consumer and a group's
/// ledger are as the input says. Whatever it is handed is read to the last row. Traps if a copy of a stranger's
/// batch changes, or if a call does not come back for its mere being asked again and again.
StreamOutcome stream_fuzz(std::span<const std::uint8_t> input);

}  // namespace pwalk::ipc::testing
