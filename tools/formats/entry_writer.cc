#include "formats/entry_writer.h"

#include "formats/arrow_writer.h"
#include "formats/csv_writer.h"
#include "formats/jsonl_writer.h"
#include "formats/path_writer.h"
#include "formats/pwalk_csv_writer.h"

namespace pwalk::tools {

std::unique_ptr<EntryWriter> make_entry_writer(const WriterOptions& options) {
  const auto columns_or = [&](auto default_columns) {
    return options.columns.empty() ? default_columns() : options.columns;
  };
  switch (options.format) {
    case Format::text: return std::make_unique<PathWriter>('\n', options.for_terminal);
    case Format::null: return std::make_unique<PathWriter>('\0', options.for_terminal);
    case Format::csv: return std::make_unique<CsvWriter>(columns_or(default_csv_columns), options.for_terminal);
    case Format::jsonl: return std::make_unique<JsonlWriter>(columns_or(default_jsonl_columns));
    case Format::pwalk_csv: return std::make_unique<PwalkCsvWriter>(options.for_terminal);
    case Format::arrow: return std::make_unique<ArrowWriter>(options.columns, ArrowLayout::stream);
  }
  return nullptr;
}

}  // namespace pwalk::tools
