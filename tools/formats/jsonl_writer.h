#pragma once

#include "formats/entry_writer.h"
#include "formats/row_path.h"

namespace pwalk::tools {

/// `jsonl`: one object per line. Text that is UTF-8 stands under its name, other
/// bytes under NAME_base64; unknown values are null; mode is a number. A
/// directory that could not be read is an object of its own:
/// {"record":"directory","path":…,"error":13,"operation":"open","message":…,"entries":0}.
class JsonlWriter final : public EntryWriter {
 public:
  explicit JsonlWriter(std::vector<OutputColumn> columns) : columns_(std::move(columns)) {}
  void write(const schema::EntryBatchView& batch, std::string& out) override;

 private:
  void append_row(const schema::EntryBatchView& batch, const RowPath& path, std::uint32_t row, std::string& out);
  void append_record(const schema::EntryBatchView& batch, const schema::PlacedRecord& placed, std::string& out);

  std::vector<OutputColumn> columns_;
  std::string text_;  ///< scratch for a path
};

/// Appends `"key":"text"`, or `"key_base64":"…"` when the bytes are no UTF-8.
void append_json_text(std::string& out, std::string_view key, std::string_view bytes);

}  // namespace pwalk::tools
