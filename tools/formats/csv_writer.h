#pragma once

#include "formats/entry_writer.h"
#include "formats/row_path.h"

namespace pwalk::tools {

/// `csv`: RFC 4180 on raw bytes, a header first, lines ended by \n. Mode in octal
/// with the type bits, times in nanoseconds, `operation` by name, unknown values empty.
class CsvWriter final : public EntryWriter {
 public:
  CsvWriter(std::vector<OutputColumn> columns, bool for_terminal)
      : columns_(std::move(columns)), for_terminal_(for_terminal) {}
  void begin(std::string& out) override;
  void write(const schema::EntryBatchView& batch, std::string& out) override;

 private:
  void append_field(const OutputColumn& column, const schema::EntryBatchView& batch, std::uint32_t row,
                    std::string& out);
  void append_path(std::string& out);
  void enter_directory(const RowPath& path);

  std::vector<OutputColumn> columns_;
  bool for_terminal_;
  std::string directory_;  ///< of the row at hand, with its slash, ready to be printed or quoted
  std::string name_;       ///< likewise
  bool directory_needs_quotes_ = false;
};

/// True if a field with these bytes must stand in quotes.
bool needs_quotes(std::string_view bytes);
/// Appends bytes as the inside of a quoted field: quotes doubled.
void append_doubling_quotes(std::string& out, std::string_view bytes);

}  // namespace pwalk::tools
