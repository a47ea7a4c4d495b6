#pragma once

#include <cstdint>

#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::schema {

/// Sum, modulo 2^64, of a hash of each row: its path and every column that was
/// fetched, nulls included. It depends neither on the order of rows nor on how
/// they were cut into batches, so any two readers of one scan, and two scans of
/// a tree that did not change, agree. Finds loss, doubling and corruption; it
/// is no defence against someone who chooses the rows.
///
///   h0  = XXH3_64(name, seed = XXH3_64(directory path))
///   h   = avalanche(h0 + Σ_c (value_c + c + 1) · K_c)      K_c odd, fixed
///   sum = Σ_rows h
std::uint64_t hash_rows(const EntryBatchView& batch);

}  // namespace pwalk::schema
