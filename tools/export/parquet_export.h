#pragma once

#include <string>

#include "export/batch_source.h"

namespace pwalk::tools {

/// Writes every row of `source` to `file` as Parquet, by DuckDB's C library, which is
/// loaded when it is asked for: $PWALK_LIBDUCKDB, else libduckdb.so where the loader
/// looks. `directory` and `name` are BLOB, times TIMESTAMP_NS (UTC), unknown values null.
/// Errors: ENOTSUP, there is no such library (the message says what to do); EINTR;
/// EIO, what DuckDB says; those of the source.
Result<void> export_parquet(BatchSource& source, const std::string& file);

}  // namespace pwalk::tools
