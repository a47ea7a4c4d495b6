#pragma once

#include <cstdint>
#include <span>

namespace pwalk::ipc::testing {

/// What became of the peers of one input.
struct AttachOutcome {
  unsigned admitted = 0;  ///< welcomes that were received
  unsigned told_status = 0;
};

/// What the fuzzer tries with one input: packets, descriptors and hang-ups of up to four
/// peers at a control server with a scan behind it, in between the server's rounds. What
/// the server answers is parsed as a consumer parses it. Traps if an answer is not what
/// a server says, or if a peer leaves a seat or a descriptor behind.
AttachOutcome attach_fuzz(std::span<const std::uint8_t> input);

}  // namespace pwalk::ipc::testing
