#include "pwalk/image/glob.h"

#include <fmt/format.h>

#include "browse/session.h"
#include "cli/short_command_line.h"
#include "commands/command.h"
#include "process/message.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

constexpr const char* kProgram = "pwalk glob";

const std::vector<ShortOption> kOptions{
    {'0', "null", nullptr, "end paths with NUL, not newline"},
};

}  // namespace

int run_glob(int argc, const char* const* argv) {
  ShortCommandLine command_line(kProgram, "[options] [SCAN:]PATTERN...",
                                "Prints the paths that shell patterns match: * ? [...] and ** for any number of directories.", kOptions);
  if (auto code = command_line.parse_or_exit(argc, argv)) return *code;
  if (command_line.arguments().empty()) return command_line.refuse("no PATTERN given; allowed are one or more");
  const char end = command_line.given().empty() ? '\n' : '\0';
  BrowsingSession session(kProgram);
  const auto places = session.places(command_line.arguments());
  std::uint64_t found = 0;
  for (const Place& place : places) {
    const auto done = glob(place.results, place.path, [&](std::string_view path, const EntryRef&) {
      std::string& out = session.output().buffer();
      out += session.for_terminal() && end == '\n' ? escaped(path) : std::string(path);
      out += end;
      ++found;
      return session.go_on();
    });
    if (!done) session.complain(done.error());
  }
  const int code = session.finish();
  return code == kComplete && found == 0 ? int(kWithErrors) : code;
}

}  // namespace pwalk::tools
