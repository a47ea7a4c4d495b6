#include <fmt/format.h>
#include <unistd.h>

#include "browse/session.h"
#include "commands/command.h"
#include "commands/usage.h"
#include "diff/difference_lines.h"
#include "diff/tree_difference.h"
#include "process/message.h"

namespace pwalk::tools {

struct DiffOptions {
  DifferenceFormat format = DifferenceFormat::text;
};

}  // namespace pwalk::tools

namespace pwalk {
template <>
struct EnumWords<tools::DifferenceFormat> {
  static constexpr std::array<std::pair<std::string_view, tools::DifferenceFormat>, 2> words{
      {{"text", tools::DifferenceFormat::text}, {"jsonl", tools::DifferenceFormat::jsonl}}};
};
}  // namespace pwalk

namespace pwalk::tools {
namespace {

constexpr const char* kProgram = "pwalk diff";
constexpr int kDifferent = 1;  // as diff(1)

constexpr std::tuple kDiffSpecs{
    OptionSpec{"format", &DiffOptions::format, "FORMAT", "text (a line per difference) or jsonl"},
};

/// Both sides have as many places, and each pair is compared.
std::optional<int> check_pairs(const std::vector<Place>& before, const std::vector<Place>& after) {
  if (before.empty() || after.empty()) return kCutShort;
  if (before.size() == after.size()) return std::nullopt;
  say(kProgram, fmt::format("OLD has {} roots and NEW {}; name a path in each, as IMAGE:/path", before.size(), after.size()));
  return kUsage;
}

}  // namespace

int run_diff(int argc, const char* const* argv) {
  DiffOptions options;
  CommandLine command_line(kProgram, "[options] OLD NEW", "What was added, removed, changed or moved between two images.");
  command_line.add("Options", options, kDiffSpecs);
  if (auto code = parse_or_exit(command_line, argc, argv, 2)) return *code;
  if (command_line.arguments().size() != 2) {
    say(kProgram, "two images are compared: pwalk diff OLD NEW");
    return kUsage;
  }
  BrowsingSession session(kProgram);
  const auto before = session.places({command_line.arguments()[0]}), after = session.places({command_line.arguments()[1]});
  if (auto code = check_pairs(before, after)) return *code;
  bool different = false;
  for (std::size_t pair = 0; pair < before.size(); ++pair) {
    const DifferenceLines lines(options.format);
    const auto found = compare_trees({before[pair].results, before[pair].path}, {after[pair].results, after[pair].path},
                                     [&](const Difference& difference) {
                                       different = true;
                                       lines.append(difference, session.output().buffer());
                                       return session.go_on();
                                     });
    if (!found) session.complain(found.error());
  }
  const int code = session.finish();
  return code == kComplete && different ? kDifferent : code;
}

}  // namespace pwalk::tools
