#include <fmt/format.h>
#include <fcntl.h>
#include <unistd.h>

#include "browse/place.h"
#include "commands/column_choice.h"
#include "commands/command.h"
#include "commands/usage.h"
#include "export/batch_source.h"
#include "export/export_file.h"
#include "export/parquet_export.h"
#include "formats/arrow_writer.h"
#include "formats/failure_lines.h"
#include "process/message.h"
#include "process/signals.h"
#include "pwalk/ipc/kept_images.h"
#include "text/byte_output.h"
#include "text/escape.h"

namespace pwalk::tools {

struct ExportOptions {
  std::optional<std::string> output;
  ColumnChoice columns;
};

namespace {

constexpr const char* kProgram = "pwalk export";
constexpr std::tuple kExportSpecs{
    OptionSpec{"output", &ExportOptions::output, "FILE", "also -o FILE: .csv, .jsonl, .arrow or .parquet (an Arrow IPC file; Parquet needs DuckDB's library)"},
};

enum class ExportFormat : std::uint8_t { csv, jsonl, arrow, parquet };

std::optional<ExportFormat> format_of(const std::string& file) {
  constexpr std::pair<std::string_view, ExportFormat> kSuffixes[] = {
      {".csv", ExportFormat::csv}, {".jsonl", ExportFormat::jsonl}, {".arrow", ExportFormat::arrow}, {".parquet", ExportFormat::parquet}};
  for (const auto& [suffix, format] : kSuffixes)
    if (file.ends_with(suffix)) return format;
  return std::nullopt;
}

std::unique_ptr<EntryWriter> writer_of(ExportFormat format, const std::vector<OutputColumn>& columns) {
  if (format == ExportFormat::arrow) return std::make_unique<ArrowWriter>(columns, ArrowLayout::file);
  WriterOptions options;
  options.columns = columns;
  options.format = format == ExportFormat::csv ? Format::csv : Format::jsonl;
  return make_entry_writer(options);
}

void tell_failures(const schema::EntryBatchView& batch) {
  std::string lines;
  append_failure_lines(batch, lines);
  if (!lines.empty()) write_all(STDERR_FILENO, lines);
}

Result<void> write_rows(BatchSource& source, EntryWriter& writer, int fd) {
  ByteOutput output(fd, [] { return stop_requests() > 0; });
  writer.begin(output.buffer());
  for (;;) {
    const auto batch = source.next();
    if (!batch) return tl::unexpected(batch.error());
    if (!*batch) break;
    writer.write(**batch, output.buffer());
    tell_failures(**batch);
    if (auto written = output.flush_if_full(); !written) return written;
  }
  writer.finish(output.buffer());
  return output.flush();
}

Result<void> write_file(BatchSource& source, ExportFormat format, const std::vector<OutputColumn>& columns, const std::string& file) {
  auto target = ExportFile::create(file);
  if (!target) return tl::unexpected(target.error());
  auto written = format == ExportFormat::parquet ? export_parquet(source, columns, target->partial())
                                                 : write_rows(source, *writer_of(format, columns), target->descriptor());
  return written ? target->commit() : written;
}

int complain(const Error& error) {
  if (error.code == EINTR) return kCutShort;
  const bool is_line = error.code == ENOTSUP || error.code == EBUSY || error.what.starts_with("DuckDB");
  const bool wants_reason = error.what.starts_with("cannot ");  // also with ENOENT, as of FILE's directory
  say(kProgram, escaped(is_line ? error.what : wants_reason ? error.message() : ipc::line_of_image_error(error)));
  return kCutShort;
}

int finish(const BatchSource& source) {
  if (source.cut_short()) {
    say(kProgram, fmt::format("the scan '{}' is not complete, so neither is this", escaped(source.name())));
    return kCutShort;
  }
  return source.errors() > 0 ? kWithErrors : kComplete;
}

/// `-o` and `-oFILE` as everywhere, in the words of the one definition.
std::vector<std::string> with_long_names(int argc, const char* const* argv) {
  std::vector<std::string> words;
  for (int i = 0; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "-o") words.emplace_back("--output");
    else if (word.starts_with("-o")) words.push_back("--output=" + word.substr(2));
    else words.push_back(word);
  }
  return words;
}

}  // namespace

int run_export(int argc, const char* const* argv) {
  ExportOptions options;
  CommandLine command_line(kProgram, "[SCAN] -o FILE", "Writes every entry of a scan to a file; FILE is replaced when all is there.");
  command_line.add("Options", options, kExportSpecs);
  command_line.add("Options", options.columns, kColumnSpecs);
  const std::vector<std::string> words = with_long_names(argc, argv);
  std::vector<const char*> pointers;
  pointers.reserve(words.size());
  for (const std::string& word : words) pointers.push_back(word.c_str());
  if (auto code = parse_or_exit(command_line, int(pointers.size()), pointers.data(), 1)) return *code;
  const auto format = options.output ? format_of(*options.output) : std::nullopt;
  if (!format) {
    say(kProgram, options.output ? fmt::format("-o '{}': allowed are names that end in .csv, .jsonl, .arrow or .parquet", escaped(*options.output))
                                 : "no FILE given; it follows -o");
    return kUsage;
  }
  const auto columns = options.columns.chosen();
  if (!columns) {
    say(kProgram, columns.error().what);
    return kUsage;
  }
  watch_signals();
  guard_against_truncation();
  auto source = BatchSource::open(command_line.arguments().empty() ? "" : command_line.arguments().front());
  if (!source) return complain(source.error());
  if (const auto written = write_file(*source, *format, *columns, *options.output); !written) return complain(written.error());
  return finish(*source);
}

}  // namespace pwalk::tools
