#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <exception>

#include "cli/nearest_word.h"
#include "cli/self_description.h"
#include "commands/command.h"
#include "process/message.h"
#include "text/escape.h"
#include "version.h"

namespace pwalk::tools {
namespace {

constexpr std::string_view kProgram = "pwalk";

std::string help() {
  std::string text = "usage: pwalk COMMAND [options]\nReads what pwalk-scanner publishes.\n\n";
  for (const Command& command : commands()) text += fmt::format("  {:<10} {}\n", command.name, command.summary);
  return text + "\n  pwalk COMMAND --help tells more; pwalk --version the version.\n";
}

/// The commands as JSON objects with name and summary.
std::string describe_commands() {
  std::string list;
  for (const Command& command : commands())
    list += fmt::format("{}{{\"name\":\"{}\",\"summary\":\"{}\"}}", list.empty() ? "" : ",", command.name, command.summary);
  return describe(std::string(kProgram), "COMMAND [options]", "Reads what pwalk-scanner publishes.", "[" + list + "]");
}

int refuse_command(const std::string& word) {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.emplace_back(command.name);
  const auto nearest = nearest_word(word, names);
  say(kProgram, fmt::format("unknown command '{}'; {}", escaped(word),
                            nearest ? "did you mean " + *nearest + "?"
                                    : fmt::format("allowed are {}", fmt::join(names, ", "))));
  return kUsage;
}

int dispatch(int argc, char** argv) {
  if (argc < 2) {
    say(kProgram, "no COMMAND given; see pwalk --help");
    return kUsage;
  }
  const std::string word = argv[1];
  if (word == "-h" || word == "--help" || word == "help") {
    write_all(STDOUT_FILENO, help());
    return kComplete;
  }
  if (word == kDumpOptions) {
    write_all(STDOUT_FILENO, describe_commands());
    return kComplete;
  }
  if (word == "--version") {
    write_all(STDOUT_FILENO, fmt::format("pwalk {}\n", kVersion));
    return kComplete;
  }
  for (const Command& command : commands())
    if (word == command.name) return command.run(argc - 1, argv + 1);
  return refuse_command(word);
}

}  // namespace
}  // namespace pwalk::tools

int main(int argc, char** argv) {
  try {
    return pwalk::tools::dispatch(argc, argv);
  } catch (const std::exception& problem) {  // memory ran out: the libraries' only exceptions
    pwalk::tools::say(pwalk::tools::kProgram, problem.what());
    return pwalk::tools::kCutShort;
  }
}
