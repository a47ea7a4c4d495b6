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
///   sum = Σ_rows mix(XXH3_64(name, seed = XXH3_64(directory path)) + Σ_c term_c)
///   term_c = (value + c + 1) · K_c    where the column has a value, zero-extended to 64 bits; of a text XXH3_64(text)
///            rotl(K_c, 32)            where it is null
///            0                        where the batch lacks the column
///   mix    = SplitMix64's finaliser
///   K_c    = output c + 1 of SplitMix64 seeded with 0, with the lowest bit set
///
/// Terms are added, not chained, so that columns are read one at a time and a
/// constant one costs nothing per row.
std::uint64_t hash_rows(const EntryBatchView& batch);

}  // namespace pwalk::schema
