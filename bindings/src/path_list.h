#pragma once

#include <pybind11/numpy.h>

#include "pwalk/schema/entry_batch_view.h"

/// A batch's names and paths as Python bytes, exactly as the kernel gave them. All need the GIL;
/// MemoryError when there is not enough of it.
namespace pwalk::bindings {

/// directory + b"/" + name of one row. Requires row < rows.
pybind11::bytes path_of(const schema::EntryBatchView& view, std::uint32_t row);

/// The paths of all rows, in order. Each directory's path is put together once per run of its rows.
pybind11::list all_paths(const schema::EntryBatchView& view);

/// The paths of these rows, in the order given. IndexError for a row that is not there.
pybind11::list paths_of(const schema::EntryBatchView& view,
                        const pybind11::array_t<std::int64_t>& rows);

/// The paths of the directory table; `/` is b"".
pybind11::list directory_paths(const schema::EntryBatchView& view);

/// Object array of bytes, one per row; rows of one directory share one object.
pybind11::array directory_array(const schema::EntryBatchView& view);

/// Object array of bytes, one per row.
pybind11::array name_array(const schema::EntryBatchView& view);
/// A text column, likewise; empty where it is null.
pybind11::array text_array(const schema::EntryBatchView& view, schema::Column column);

/// bool array: does the row's name end with one of these?
pybind11::array_t<bool> names_end_with(const schema::EntryBatchView& view,
                                       const std::vector<std::string>& suffixes);

}  // namespace pwalk::bindings
