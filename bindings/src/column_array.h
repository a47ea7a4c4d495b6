#pragma once

#include <pybind11/numpy.h>

#include <memory>

#include "held_batch.h"

/// numpy arrays of a batch. "View" points into the batch's own bytes, is read-only for good (numpy
/// finds a capsule as its base, which offers no writable buffer) and keeps the batch held; "array"
/// is new memory of the caller's own.
namespace pwalk::bindings {

using Held = std::shared_ptr<const HeldBatch>;

/// View of a fixed-width column, one element per row. A column that is constant in the batch has
/// stride 0 over its one stored value. Requires the batch to have the column.
pybind11::array column_view(const Held& held, schema::Column column);

/// bool array: False where the column's value is not known.
pybind11::array_t<bool> valid_array(const HeldBatch& held, schema::Column column);

/// int32 view, rows + 1: name i is name_bytes[offsets[i]:offsets[i + 1]].
pybind11::array name_offsets_view(const Held& held);
/// uint8 view.
pybind11::array name_bytes_view(const Held& held);
/// int16 view: per row, its place in directory_paths().
pybind11::array directory_index_view(const Held& held);

}  // namespace pwalk::bindings
