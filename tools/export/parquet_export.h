#pragma once

#include <string>
#include <vector>

#include "export/batch_source.h"
#include "formats/output_column.h"

namespace pwalk::tools {

/// Writes every row of `source` to `file` as Parquet, by DuckDB's C library, which is
/// loaded when it is asked for: $PWALK_LIBDUCKDB, else libduckdb.so where the loader
/// looks. Texts are BLOB, times TIMESTAMP_NS (UTC), unknown values null. With no columns
/// given they are directory, name, and what the first batch has.
/// Errors: ENOTSUP, there is no such library (the message says what to do); EINTR;
/// EIO, what DuckDB says; those of the source.
Result<void> export_parquet(BatchSource& source, std::vector<OutputColumn> columns, const std::string& file);

}  // namespace pwalk::tools
