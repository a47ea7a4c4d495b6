#include "cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/nearest_word.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

constexpr std::string_view kHelpFlag = "help", kHelpAllFlag = "help-all";

/// What a flag takes, for a line that says it got nothing.
std::string takes(const Flag& flag) {
  if (!flag.words.empty()) return fmt::format("one of {}", fmt::join(flag.words, ", "));
  return "a value: " + flag.value_name;
}

const Flag* flag_named(const std::vector<Flag>& flags, std::string_view dashed) {
  const auto same = [&](const Flag& flag) {
    return dashed == "--" + flag.name || (flag.is_switch() && dashed == "--" + flag.opposite());
  };
  const auto found = std::find_if(flags.begin(), flags.end(), same);
  return found == flags.end() ? nullptr : &*found;
}

std::string without_value(const std::string& argument) { return argument.substr(0, argument.find('=')); }

/// `--switch=x` and `--option=`. CLI11 words the first without saying what was
/// typed, and takes the next argument for the value in the second.
Result<void> refuse_misused_equals(const std::vector<Flag>& flags, const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    const std::string name = without_value(argument);
    const Flag* flag = name.size() < argument.size() ? flag_named(flags, name) : nullptr;
    if (flag && flag->is_switch())
      return fail(EINVAL, fmt::format("{} takes no value; allowed are --{} and --{}", name, flag->name, flag->opposite()));
    if (flag && name.size() + 1 == argument.size()) return fail(EINVAL, name + " needs " + takes(*flag));
  }
  return {};
}

/// The line for what CLI11 refuses by itself: a missing value ("--x: 1 required ...").
Error in_our_words(const CLI::ParseError& refused, const std::vector<Flag>& flags) {
  const std::string said = refused.what();
  const std::string name = said.substr(0, said.find_first_of(": "));
  const Flag* flag = flag_named(flags, name);
  return {EINVAL, flag ? name + " needs " + takes(*flag) : escaped(said)};
}

/// Registers a flag with CLI11, which keeps the raw texts.
CLI::Option* declare(CLI::App& app, const Flag& flag) {
  if (flag.is_switch())
    return app.add_flag("--" + flag.name + ",!--" + flag.opposite())
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  return app.add_option("--" + flag.name)
      ->type_size(1)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

nlohmann::ordered_json described(const Flag& flag) {
  std::string attribute = flag.name;
  std::replace(attribute.begin(), attribute.end(), '-', '_');
  nlohmann::ordered_json json{{"name", flag.name},
                              {"attribute", attribute},
                              {"group", flag.heading},
                              {"kind", flag.kind},
                              {"value_name", flag.value_name},
                              {"default", flag.default_text},
                              {"repeatable", flag.repeatable},
                              {"help", flag.help}};
  if (flag.is_switch()) json["opposite"] = flag.opposite();
  if (!flag.words.empty()) json["words"] = flag.words;
  if (flag.least != 0) json["least"] = flag.least;
  if (std::isfinite(flag.most)) json["most"] = flag.most;
  return json;
}

}  // namespace

std::string detail::allowed_range(std::string_view kind, double least, double most) {
  const auto text = [&](double number) {
    return kind == "size" ? OptionValue<ByteSize>::print({std::uint64_t(number)})
                          : OptionValue<Seconds>::print({number});
  };
  const std::string_view what = kind == "size" ? "sizes" : kind == "seconds" ? "seconds" : "whole numbers";
  if (!std::isfinite(most)) return fmt::format("allowed are {} from {}", what, text(least));
  return fmt::format("allowed are {} from {} to {}", what, text(least), text(most));
}

CommandLine::CommandLine(std::string program, std::string usage, std::string summary)
    : program_(std::move(program)), usage_(std::move(usage)), summary_(std::move(summary)) {}

Result<void> CommandLine::parse(int argc, const char* const* argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  const auto end_of_flags = std::find(arguments.begin(), arguments.end(), "--");
  std::vector<std::string> plain;
  if (end_of_flags != arguments.end()) plain.assign(end_of_flags + 1, arguments.end());
  arguments.erase(end_of_flags, arguments.end());
  if (auto fine = refuse_misused_equals(flags_, arguments); !fine) return fine;

  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.add_flag(fmt::format("-h,--{}", kHelpFlag), help_);
  app.add_flag(fmt::format("--{}", kHelpAllFlag), help_all_);
  std::vector<CLI::Option*> declared;
  for (const Flag& flag : flags_) declared.push_back(declare(app, flag));
  try {
    std::reverse(arguments.begin(), arguments.end());  // App::parse(vector) wants the last one first
    app.parse(arguments);
  } catch (const CLI::ParseError& refused) {
    return tl::unexpected(in_our_words(refused, flags_));
  }
  if (auto fine = refuse_unknown(app.remaining()); !fine) return fine;
  arguments_.insert(arguments_.end(), plain.begin(), plain.end());
  if (help_ || help_all_) return {};
  for (std::size_t i = 0; i < flags_.size(); ++i)
    if (auto fine = assign(flags_[i], declared[i]->results()); !fine) return fine;
  return {};
}

/// Sorts what CLI11 did not know into unknown flags (an error) and arguments.
Result<void> CommandLine::refuse_unknown(const std::vector<std::string>& remaining) {
  for (const std::string& word : remaining) {
    if (word.size() >= 2 && word[0] == '-') return fail(EINVAL, unknown_option(word));
    arguments_.push_back(word);
  }
  return {};
}

std::string CommandLine::unknown_option(const std::string& word) const {
  std::vector<std::string> known{std::string(kHelpFlag), std::string(kHelpAllFlag)};
  for (const Flag& flag : flags_) {
    known.push_back(flag.name);
    if (flag.is_switch()) known.push_back(flag.opposite());
  }
  const std::string name = word[1] == '-' ? without_value(word) : word;
  const auto nearest = nearest_word(name.substr(std::min(name.size(), std::size_t{2})), known);
  return "unknown option " + escaped(name) +
         (nearest ? "; did you mean --" + *nearest + "?" : "; allowed are those of --help-all");
}

Result<void> CommandLine::assign(const Flag& flag, const std::vector<std::string>& values) const {
  if (values.empty()) return {};
  const std::size_t first = flag.repeatable ? 0 : values.size() - 1;
  for (std::size_t i = first; i < values.size(); ++i) {
    const auto set = flag.set(values[i]);
    if (!set) return fail(EINVAL, fmt::format("--{} '{}': {}", flag.name, escaped(values[i]), set.error().what));
  }
  return {};
}

std::string CommandLine::describe_json() const {
  auto list = nlohmann::ordered_json::array();
  for (const Flag& flag : flags_) list.push_back(described(flag));
  return list.dump(2);
}

}  // namespace pwalk::tools
