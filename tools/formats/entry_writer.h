#pragma once

#include <memory>
#include <string>
#include <vector>

#include "formats/output_column.h"
#include "pwalk/base/option_value.h"
#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::tools {

enum class Format : std::uint8_t { text, csv, jsonl, null, pwalk_csv, arrow };

/// Turns batches into bytes of one format. One thread; keeps no batch.
class EntryWriter {
 public:
  virtual ~EntryWriter() = default;
  /// What comes before the first row.
  virtual void begin(std::string& /*out*/) {}
  /// Appends a batch's rows (and, where the format has them, directory records).
  virtual void write(const schema::EntryBatchView& batch, std::string& out) = 0;
  /// What can only be said at the end.
  virtual void finish(std::string& /*out*/) {}
};

struct WriterOptions {
  Format format = Format::text;
  std::vector<OutputColumn> columns;  ///< of csv, jsonl and arrow; empty: the default ones
  bool for_terminal = false;          ///< escape what a terminal must not get
};

std::unique_ptr<EntryWriter> make_entry_writer(const WriterOptions& options);

}  // namespace pwalk::tools

namespace pwalk {
template <>
struct EnumWords<tools::Format> {
  static constexpr std::array<std::pair<std::string_view, tools::Format>, 6> words{
      {{"text", tools::Format::text},
       {"csv", tools::Format::csv},
       {"jsonl", tools::Format::jsonl},
       {"null", tools::Format::null},
       {"pwalk-csv", tools::Format::pwalk_csv},
       {"arrow", tools::Format::arrow}}};
};
}  // namespace pwalk
