#pragma once

#include <deque>
#include <unordered_map>

#include "formats/entry_writer.h"
#include "formats/row_path.h"

namespace pwalk::tools {

/// `pwalk-csv`: the 17 columns of the pwalk C program, header first. Names stand
/// in quotes, times in seconds; a root has depth -1 and parent 0; pw_fcount and
/// pw_dirsum of what is no directory are -1 and 0. Unknown values are empty.
///
/// A directory's line needs its row, which comes with its parent, and its record,
/// which comes when it has been read: whichever is first is kept until the other
/// is there, so memory grows with the directories that are waiting to be read.
/// What never gets its record (not entered, or unreadable) is printed at the end
/// with -1 and 0.
class PwalkCsvWriter final : public EntryWriter {
 public:
  explicit PwalkCsvWriter(bool for_terminal) : for_terminal_(for_terminal) {}
  void begin(std::string& out) override;
  void write(const schema::EntryBatchView& batch, std::string& out) override;
  void finish(std::string& out) override;

 private:
  /// One directory's halves that still miss their counterpart. A root given
  /// twice has more than one of each.
  struct Halves {
    std::deque<std::string> lines;                 ///< all but the last two columns
    std::deque<schema::DirectoryRecord> records;
    bool empty() const { return lines.empty() && records.empty(); }
  };

  void append_line(const schema::EntryBatchView& batch, const RowPath& path, std::uint32_t row, std::string& out);
  void append_name(std::string_view path, std::string_view extension, std::string& out) const;
  void join_row(const std::string& path, std::string line, std::string& out);
  void join_record(const schema::EntryBatchView& batch, const schema::PlacedRecord& placed, std::string& out);

  bool for_terminal_;
  std::string path_;  ///< of the row at hand
  std::unordered_map<std::string, Halves> waiting_;
};

}  // namespace pwalk::tools
