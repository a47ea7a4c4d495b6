#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::schema::testing {

/// Calls every reader on all of a batch that was checked.
void read_everything(const EntryBatchView& view);

/// Checks a batch and, if it is sound, calls every reader on all of it. Returns whether it was.
bool read_if_sound(std::span<const std::byte> batch);

/// What the fuzzer tries with one input; returns whether a batch was sound. The
/// first byte says what the rest is: 0, a batch; else patches (position, two
/// bytes; what to write, one byte) to one of a few sound batches.
bool batch_check_fuzz(std::span<const std::uint8_t> input);

}  // namespace pwalk::schema::testing
