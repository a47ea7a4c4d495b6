#pragma once

#include "arrow_abi.h"
#include "pwalk/schema/columns.h"

namespace pwalk::bindings {

/// How names and paths, which are bytes, are told to Arrow.
struct ArrowText {
  enum class Type : std::uint8_t { binary, utf8 } type = Type::binary;
  /// What utf8 does with bytes that are none.
  enum class Misfit : std::uint8_t { replace, null } misfit = Misfit::replace;

  const char* format() const { return type == Type::binary ? "z" : "u"; }
};

/// The schema of batches with these columns: a struct of `directory` (text, dictionary-encoded with
/// int16), `name` (text) and the columns in the order of kColumns. The caller releases it; thread-safe.
void export_schema(schema::ColumnSet columns, ArrowText text, ArrowSchema* out);

}  // namespace pwalk::bindings
