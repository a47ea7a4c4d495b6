#include "cli/short_command_line.h"

#include <fmt/format.h>
#include <getopt.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/self_description.h"
#include "process/message.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

constexpr int kHelp = 0x1000;   // what getopt_long returns for --help ...
constexpr int kFirst = 0x2000;  // ... and for the options in their order

std::string shown(const ShortOption& option) {
  std::string text = option.letter ? fmt::format("-{}, --{}", option.letter, option.name) : fmt::format("    --{}", option.name);
  if (option.value_name) text += fmt::format("={}", option.value_name);
  return text;
}

}  // namespace

std::string ShortCommandLine::help() const {
  std::string text = fmt::format("usage: {} {}\n{}\n\n", program_, usage_, summary_);
  std::size_t width = 0;
  for (const ShortOption& option : options_) width = std::max(width, shown(option).size());
  for (const ShortOption& option : options_) text += fmt::format("  {:<{}}  {}\n", shown(option), width, option.help);
  return text;
}

int ShortCommandLine::refuse(const std::string& why) const {
  say(program_, why);
  return kUsage;
}

int ShortCommandLine::refuse_option(const std::vector<char*>& words, int at, int letter) const {
  for (const ShortOption& option : options_)
    if (letter != 0 && (letter == option.letter || letter == kFirst + int(&option - options_.data())))
      return refuse(option.value_name ? fmt::format("--{} needs a value: {}", option.name, option.value_name)
                                      : fmt::format("--{} takes no value", option.name));
  const std::string word = letter != 0 && letter < kHelp ? fmt::format("-{}", char(letter)) : words[std::size_t(at)];
  return refuse(fmt::format("unknown option {}; allowed are those of {} --help", escaped(word), program_));
}

std::string ShortCommandLine::describe_json() const {
  auto list = nlohmann::ordered_json::array();
  for (const ShortOption& option : options_)
    list.push_back({{"name", option.name}, {"letter", option.letter ? std::string(1, option.letter) : ""},
                    {"value", option.value_name ? option.value_name : ""}, {"help", option.help}});
  return list.dump();
}

std::optional<int> ShortCommandLine::parse_or_exit(int argc, const char* const* argv) {
  if (argc == 2 && std::string_view(argv[1]) == kDumpOptions) {
    write_all(STDOUT_FILENO, describe(program_, usage_, summary_, describe_json()));
    return kComplete;
  }
  std::vector<std::string> copies(argv, argv + argc);
  std::vector<char*> words;
  words.reserve(copies.size() + 1);
  for (std::string& word : copies) words.push_back(word.data());
  words.push_back(nullptr);

  std::string letters = ":";  // a missing value is reported apart from an unknown option
  std::vector<::option> table;
  for (std::size_t i = 0; i < options_.size(); ++i) {
    const ShortOption& option = options_[i];
    const int takes = option.value_name ? required_argument : no_argument;
    table.push_back({option.name, takes, nullptr, kFirst + int(i)});
    if (option.letter) letters += option.letter;
    if (option.letter && option.value_name) letters += ':';
  }
  table.push_back({"help", no_argument, nullptr, kHelp});
  table.push_back({nullptr, 0, nullptr, 0});

  opterr = 0;
  optind = 0;  // starts over, options and arguments in any order
  for (;;) {
    const int at = optind ? optind : 1;
    const int found = ::getopt_long(argc, words.data(), letters.c_str(), table.data(), nullptr);
    if (found == -1) break;
    if (found == '?' || found == ':') return refuse_option(words, at, optopt);
    if (found == kHelp) {
      write_all(STDOUT_FILENO, help());
      return kComplete;
    }
    for (std::size_t i = 0; i < options_.size(); ++i)
      if (found == options_[i].letter || found == kFirst + int(i)) given_.push_back({options_[i].name, optarg ? optarg : ""});
  }
  for (int i = optind; i < argc; ++i) arguments_.emplace_back(words[std::size_t(i)]);
  return std::nullopt;
}

}  // namespace pwalk::tools
