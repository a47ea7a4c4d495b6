#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "browse/place.h"
#include "commands/column_choice.h"
#include "commands/command.h"
#include "commands/dead_scans.h"
#include "commands/entry_stream.h"
#include "commands/usage.h"
#include "process/message.h"
#include "process/signals.h"
#include "pwalk/ipc/consumer.h"
#include "text/escape.h"

namespace pwalk::tools {
struct TailOptions {
  Format format = Format::text;
  ColumnChoice columns;
  std::optional<std::string> group;
  ipc::StartAt start = ipc::StartAt::first;
  std::optional<Seconds> timeout;
};
}  // namespace pwalk::tools

namespace pwalk {
template <>
struct EnumWords<ipc::StartAt> {
  static constexpr std::array<std::pair<std::string_view, ipc::StartAt>, 3> words{
      {{"first", ipc::StartAt::first}, {"oldest", ipc::StartAt::oldest}, {"now", ipc::StartAt::now}}};
};
}  // namespace pwalk

namespace pwalk::tools {
namespace {

using std::chrono::milliseconds;

constexpr const char* kProgram = "pwalk tail";
constexpr milliseconds kForever{std::chrono::hours(24 * 365 * 30)};
constexpr std::chrono::seconds kSilence{1};  ///< before it is said that a scan is waited for

constexpr std::tuple kTailSpecs{
    OptionSpec{"format", &TailOptions::format, "FORMAT", "text, csv, jsonl, null, pwalk-csv or arrow (text: paths; null: each ended by \\0; arrow: an IPC stream)"},
    OptionSpec{"group", &TailOptions::group, "NAME", "share the scan with all who name this group"},
    OptionSpec{"start", &TailOptions::start, "WHERE", "first entry, oldest that is still there, or now"},
    OptionSpec{"timeout", &TailOptions::timeout, "SECONDS", "wait so long for the scan to appear (default: for ever)"},
};

/// The columns asked for; EINVAL with the line to print.
Result<std::vector<OutputColumn>> wanted_columns(const TailOptions& options) {
  const bool has_columns = options.format == Format::csv || options.format == Format::jsonl || options.format == Format::arrow;
  if (options.columns.list && !has_columns)
    return fail(EINVAL, fmt::format("--columns: format {} has none; allowed with --format csv, jsonl and arrow",
                                    OptionValue<Format>::print(options.format)));
  return options.columns.chosen();
}

ipc::AttachOptions attach_options(const std::string& scan, const TailOptions& options) {
  ipc::AttachOptions attach;
  attach.scan = scan;
  attach.timeout = options.timeout ? milliseconds(std::int64_t(options.timeout->value * 1000)) : kForever;
  attach.start = options.start;
  attach.group = options.group.value_or("");
  attach.label = "pwalk tail";
  const auto began = std::chrono::steady_clock::now();
  attach.interrupted = [began, said = ::isatty(STDERR_FILENO) != 1]() mutable {
    if (!said && std::chrono::steady_clock::now() - began > kSilence) {
      said = true;
      say(kProgram, "waiting for the scan to appear");
    }
    return stop_requests() > 0;
  };
  return attach;
}

/// Errors that attach() words itself; their errno's text would only confuse.
bool speaks_for_itself(int code) {
  return code == ENOENT || code == ETIMEDOUT || code == EMLINK || code == ENODATA || code == EINVAL;
}

int explain_refusal(const Error& error) {
  if (error.code == EINTR) return kCutShort;
  std::string text = speaks_for_itself(error.code) ? error.what : error.message();
  if (error.code == ENODATA) text += "; see --start";
  say(kProgram, escaped(text));
  return error.code == EMLINK || error.code == EINVAL ? kUsage : kCutShort;
}

int explain_end(const ipc::Consumer& consumer) {
  switch (consumer.end()) {
    case ipc::StreamEnd::complete: return consumer.stats().errors > 0 ? kWithErrors : kComplete;
    case ipc::StreamEnd::cut_short:
      say(kProgram, consumer.scan_name() + ": the scan was cut short; this is what it had published");
      break;
    case ipc::StreamEnd::scanner_died:
      say(kProgram, consumer.scan_name() + ": the scanner died; this is what it had published");
      break;
    case ipc::StreamEnd::running: break;
  }
  return kCutShort;
}

int stream(ipc::Consumer consumer, const WriterOptions& writer, bool in_group) {
  if (consumer.missed_rows() > 0)
    say(kProgram, fmt::format("{}: {} entries before the start are gone", consumer.scan_name(), consumer.missed_rows()));
  // What is done must be written, since nobody else gets it.
  EntryStream entries(writer, STDOUT_FILENO, in_group ? Flushing::each_batch : Flushing::when_full);
  const auto copied = entries.copy(consumer);
  if (copied) return entries.reader_gone() ? kCutShort : explain_end(consumer);
  const Error& why = copied.error();
  if (why.code != EINTR) say(kProgram, escaped(why.code == ECANCELED ? why.what : why.message()));
  return kCutShort;
}

}  // namespace

int run_tail(int argc, const char* const* argv) {
  TailOptions options;
  CommandLine command_line(kProgram, "[options] [SCAN]",
                           "Attaches to a scan, by name or root, and prints its entries until the end; or those of an image.");
  command_line.add("Options", options, kTailSpecs);
  command_line.add("Options", options.columns, kColumnSpecs);
  if (auto code = parse_or_exit(command_line, argc, argv, 1)) return *code;
  auto columns = wanted_columns(options);
  if (!columns) {
    say(kProgram, columns.error().what);
    return kUsage;
  }
  watch_signals();
  clear_dead_scans();
  const std::string scan = command_line.arguments().empty() ? "" : command_line.arguments().front();
  guard_against_truncation();
  auto consumer = ipc::Consumer::attach(attach_options(scan, options));
  if (!consumer) return explain_refusal(consumer.error());
  WriterOptions writer;
  writer.format = options.format;
  writer.columns = *std::move(columns);
  writer.for_terminal = ::isatty(STDOUT_FILENO) == 1;
  return stream(*std::move(consumer), writer, options.group.has_value());
}

}  // namespace pwalk::tools
