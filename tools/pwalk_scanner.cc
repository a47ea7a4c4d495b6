#include <unistd.h>

#include <exception>

#include "cli/help_screen.h"
#include "cli_options.h"
#include "process/message.h"
#include "process/privilege.h"
#include "process/signals.h"
#include "pwalk/ipc/kept_images.h"
#include "scan/explanation.h"
#include "scan/image_jobs.h"
#include "scan/scan_run.h"
#include "scan/walk_link.h"
#include "text/escape.h"
#include "version.h"

namespace pwalk::tools {
namespace {

constexpr std::string_view kProgram = "pwalk-scanner";

int refuse(std::string_view why) {
  say(kProgram, why);
  return kUsage;
}

/// IMAGE of --since: wrong words, or something that cannot be read.
int refuse_image(const Error& error) {
  const bool wrong_words = error.code == EINVAL || error.code == ENOENT || error.code == EMLINK;
  say(kProgram, escaped(error.code == EINVAL ? error.what : "--since: " + ipc::line_of_image_error(error)));
  return wrong_words ? kUsage : kCutShort;
}

/// Help, version and the like: what is printed instead of walking. nullopt: none of it.
std::optional<std::string> asked_for_text(const CommandLine& command_line, const ScannerOptions& options) {
  if (command_line.help_all()) return full_help(command_line);
  if (command_line.help()) return brief_help(command_line);
  if (options.output.version) return std::string(kProgram) + " " + kVersion + "\n";
  if (options.dump.dump_options == DumpFormat::json) return command_line.describe_json() + "\n";
  return std::nullopt;
}

int scan(int argc, char** argv) {
  if (runs_setuid()) {
    say(kProgram, "refuses to run setuid or setgid; CAP_DAC_READ_SEARCH is enough to read everything");
    return kCutShort;
  }
  ScannerOptions options;
  CommandLine command_line = scanner_command_line(options);
  if (auto parsed = command_line.parse(argc, argv); !parsed) return refuse(parsed.error().what);
  if (auto text = asked_for_text(command_line, options)) {
    write_all(STDOUT_FILENO, *text);
    return kComplete;
  }
  if (command_line.arguments().empty()) return refuse("no PATH given; allowed are one or more, see --help");

  if (options.publish.keep_limit && !options.publish.keep) return refuse("--keep-limit limits --keep, which is not given");
  if (const auto contradiction = contradiction_of_since(options)) return refuse(*contradiction);
  if (options.publish.on_slow == publish::OnSlow::image && !options.publish.builds_image())
    return refuse("--on-slow image needs the image of --keep or --save, which are not given");
  if (options.publish.buffer_size_mb && options.publish.ring_size)
    return refuse("--buffer-size-mb and --ring-size are two words for one thing; give one of them");
  if (const auto& group = options.publish.share_group)
    if (const auto known = ipc::group_named(*group); !known)
      return refuse("--share-group: " + escaped(known.error().what));
  std::vector<std::string> own_globs;
  if (options.publish.save) own_globs = globs_of_saved_file(*options.publish.save, command_line.arguments());
  auto& exclude = options.scan.traversal.exclude;
  exclude.insert(exclude.end(), own_globs.begin(), own_globs.end());
  // An old answer would hide what changed.
  if (options.publish.trust_mtime && options.scan.attributes.coherence == Coherence::by_profile)
    options.scan.attributes.coherence = Coherence::normal;
  options.scan.attributes.resolve_links = options.publish.resolve_links && options.publish.builds_image();
  const auto plan = resolve_plan(options.scan, command_line.arguments());
  if (!plan)
    return refuse(escaped(plan.error().code == EINVAL ? plan.error().what : plan.error().message()));
  ScanContext context;
  context.selection = selection_of(*plan, own_globs);
  if (options.publish.since) {
    auto since = open_since(options.publish, *plan, context.selection);
    if (!since) return refuse_image(since.error());
    context.since = *std::move(since);
    guard_against_truncation();
  }
  if (options.output.explain) {
    const auto session = session_options(options, *plan);
    write_all(STDOUT_FILENO, options.output.json ? explanation_json(*plan, session) + "\n" : explanation(*plan, session));
    return kComplete;
  }
  watch_signals();
  const auto link = WalkLink::from_environment();
  if (!link) return refuse(link.error().what);
  if (*link && context.since) return refuse("--since leaves entries out, so a walk cannot be followed with it");
  if (*link) context.control = &(*link)->control();
  return run_scan(options, *plan, context);
}

}  // namespace
}  // namespace pwalk::tools

int main(int argc, char** argv) {
  try {
    return pwalk::tools::scan(argc, argv);
  } catch (const std::exception& problem) {  // memory or threads ran out: the libraries' only exceptions
    pwalk::tools::say(pwalk::tools::kProgram, problem.what());
    return pwalk::tools::kCutShort;
  }
}
