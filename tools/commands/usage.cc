#include "commands/usage.h"

#include <fmt/format.h>
#include <unistd.h>

#include "cli/help_screen.h"
#include "cli/self_description.h"
#include "process/message.h"
#include "text/escape.h"

namespace pwalk::tools {

std::optional<int> parse_or_exit(CommandLine& command_line, int argc, const char* const* argv, std::size_t most) {
  if (argc == 2 && std::string_view(argv[1]) == kDumpOptions) {
    write_all(STDOUT_FILENO, describe(command_line.program(), command_line.usage(), command_line.summary(), command_line.describe_json()));
    return kComplete;
  }
  if (auto parsed = command_line.parse(argc, argv); !parsed) {
    say(command_line.program(), parsed.error().what);
    return kUsage;
  }
  if (command_line.help() || command_line.help_all()) {
    write_all(STDOUT_FILENO, command_line.help() ? brief_help(command_line) : full_help(command_line));
    return kComplete;
  }
  const auto& arguments = command_line.arguments();
  if (arguments.size() <= most) return std::nullopt;
  say(command_line.program(), fmt::format("'{}' is one argument too many; allowed: {}", escaped(arguments[most]),
                                          command_line.usage()));
  return kUsage;
}

}  // namespace pwalk::tools
