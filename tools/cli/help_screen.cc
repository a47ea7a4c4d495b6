#include "cli/help_screen.h"

#include <fmt/format.h>

#include <cmath>

namespace pwalk::tools {
namespace {

constexpr std::size_t kColumns = 80, kTextColumn = 28, kIndent = 2;

std::string signature(const Flag& flag) {
  if (!flag.is_switch()) return "--" + flag.name + " " + flag.value_name;
  return flag.default_text == "true" ? "--[no-]" + flag.name : "--" + flag.name;
}

/// Breaks at spaces; every line but the first begins with `indent` spaces.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = indent;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (column > indent && column + 1 + word.size() > kColumns) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

std::string flag_line(const std::string& left, std::string_view explanation) {
  std::string line = std::string(kIndent, ' ') + left;
  if (line.size() + 2 > kTextColumn)
    line += '\n' + std::string(kTextColumn, ' ');
  else
    line.resize(kTextColumn, ' ');
  return line + wrapped(explanation, kTextColumn) + '\n';
}

std::string_view first_clause(std::string_view help) {
  if (kTextColumn + help.size() <= kColumns) return help;
  return help.substr(0, std::min(help.find(" ("), help.find(';')));
}

/// The help text with what the spec knows besides, as far as it does not say it.
std::string whole_explanation(const Flag& flag) {
  std::string text = flag.help;
  const bool lists_words = !flag.words.empty() && text.find(flag.words.back()) != text.npos;
  if (!flag.words.empty() && !lists_words) text += fmt::format(". One of {}", fmt::join(flag.words, ", "));
  if (flag.least != 0 || std::isfinite(flag.most)) {
    std::string range = detail::allowed_range(flag.kind, flag.least, flag.most);
    range.front() = 'A';
    text += ". " + range;
  }
  if (flag.repeatable) text += ". May be repeated";
  if (!flag.default_text.empty() && !flag.is_switch()) text += ". Default " + flag.default_text;
  return text + ".";
}

std::string title(const CommandLine& command_line) {
  const std::string usage = "usage: " + command_line.program() + " " + command_line.usage();
  return usage + "\n" + command_line.summary() + "\n";
}

template <class Each>
std::string by_heading(const CommandLine& command_line, Listing listing, Each&& each) {
  std::string out, heading;
  for (const Flag& flag : command_line.flags()) {
    if (flag.listing > listing) continue;
    if (flag.heading != heading) out += "\n" + flag.heading + ":\n";
    heading = flag.heading;
    out += each(flag);
  }
  return out;
}

std::string names_only(const CommandLine& command_line) {
  std::string names;
  for (const Flag& flag : command_line.flags())
    if (flag.listing == Listing::name) names += (names.empty() ? "" : " ") + signature(flag);
  if (names.empty()) return names;
  return "\nTuning (see --help-all):\n" + std::string(kIndent, ' ') + wrapped(names, kIndent) + "\n";
}

}  // namespace

std::string brief_help(const CommandLine& command_line) {
  return title(command_line) +
         by_heading(command_line, Listing::line,
                    [](const Flag& flag) { return flag_line(signature(flag), first_clause(flag.help)); }) +
         names_only(command_line) + flag_line("-h, --help, --help-all", "this screen; everything");
}

std::string full_help(const CommandLine& command_line) {
  return title(command_line) +
         by_heading(command_line, Listing::name,
                    [](const Flag& flag) { return flag_line(signature(flag), whole_explanation(flag)); }) +
         "\n" + wrapped("Every switch --x has an opposite --no-x, and --no-x has --x; the last one wins.", 0) +
         "\n" + flag_line("-h, --help", "the screen with the most used flags") +
         flag_line("--help-all", "this");
}

}  // namespace pwalk::tools
