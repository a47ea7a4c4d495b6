#include "cli_options.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cli/help_screen.h"

namespace pwalk::tools {
namespace {

/// A value of the right kind that is not the default, and one that cannot be.
std::pair<std::string, std::string> good_and_bad(const Flag& flag) {
  if (!flag.words.empty()) return {flag.words.back(), "no-such-word"};
  if (flag.kind == "size") return {"64M", "much"};
  if (flag.kind == "seconds") return {"2.5", "soon"};
  if (flag.kind == "count") return {"7", "-7"};
  return {"text", ""};
}

Result<void> parse(ScannerOptions& options, const std::vector<std::string>& words) {
  std::vector<const char*> argv{"pwalk-scanner"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  return scanner_command_line(options).parse(int(argv.size()), argv.data());
}

std::vector<Flag> every_flag() {
  static ScannerOptions options;
  return scanner_command_line(options).flags();
}

TEST(CliOptionsTest, every_value_option_takes_a_good_value_and_names_itself_refusing_a_bad_one) {
  for (const Flag& flag : every_flag()) {
    if (flag.is_switch()) continue;
    const auto [good, bad] = good_and_bad(flag);
    ScannerOptions options;
    EXPECT_TRUE(parse(options, {"--" + flag.name, good, "/x"})) << flag.name;
    EXPECT_TRUE(parse(options, {"--" + flag.name + "=" + good})) << flag.name;
    for (const auto& words : {std::vector<std::string>{"--" + flag.name + "=" + bad}, {"--" + flag.name}}) {
      const auto parsed = parse(options, words);
      ASSERT_FALSE(parsed) << words[0];
      EXPECT_EQ(parsed.error().what.rfind("--" + flag.name + " ", 0), 0u) << parsed.error().what;
      EXPECT_EQ(parsed.error().what.find('\n'), std::string::npos);
    }
  }
}

TEST(CliOptionsTest, every_value_outside_its_range_is_refused_with_the_range) {
  for (const Flag& flag : every_flag()) {
    ScannerOptions options;
    if (flag.kind != "size" && flag.kind != "count") continue;
    if (flag.least > 0) {
      const auto parsed = parse(options, {"--" + flag.name, std::to_string(std::uint64_t(flag.least) - 1)});
      ASSERT_FALSE(parsed) << flag.name;
      EXPECT_NE(parsed.error().what.find("allowed are"), std::string::npos);
    }
    if (std::isfinite(flag.most)) {
      EXPECT_FALSE(parse(options, {"--" + flag.name, std::to_string(std::uint64_t(flag.most) + 1)})) << flag.name;
    }
  }
}

TEST(CliOptionsTest, every_switch_has_an_opposite_and_refuses_a_value) {
  for (const Flag& flag : every_flag()) {
    if (!flag.is_switch()) continue;
    ScannerOptions options;
    EXPECT_TRUE(parse(options, {"--" + flag.name, "--" + flag.opposite()})) << flag.name;
    EXPECT_FALSE(parse(options, {"--" + flag.name + "=true"})) << flag.name;
  }
}

TEST(CliOptionsTest, switches_turn_their_own_member_and_nothing_else) {
  const ScannerOptions defaults;
  for (const Flag& flag : every_flag()) {
    if (!flag.is_switch()) continue;
    ScannerOptions options;
    ASSERT_TRUE(parse(options, {"--" + (flag.default_text == "true" ? flag.opposite() : flag.name)}));
    const int changed = !(options.scan == defaults.scan) + !(options.publish == defaults.publish) +
                        !(options.output == defaults.output);
    EXPECT_EQ(changed, 1) << flag.name;
    ASSERT_TRUE(parse(options, {"--" + (flag.default_text == "true" ? flag.name : flag.opposite())}));
    EXPECT_TRUE(options.scan == defaults.scan && options.publish == defaults.publish && options.output == defaults.output)
        << flag.name;
  }
}

TEST(CliOptionsTest, names_are_unique_opposites_included) {
  std::set<std::string> names{"help", "help-all"};
  for (const Flag& flag : every_flag()) {
    EXPECT_TRUE(names.insert(flag.name).second) << flag.name;
    if (flag.is_switch()) {
      EXPECT_TRUE(names.insert(flag.opposite()).second) << flag.opposite();
    }
  }
}

TEST(CliOptionsTest, brief_help_fits_a_screen) {
  ScannerOptions options;
  std::istringstream lines(brief_help(scanner_command_line(options)));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_LE(count, 50);
}

TEST(CliOptionsTest, both_help_screens_name_every_flag) {
  ScannerOptions options;
  const CommandLine command_line = scanner_command_line(options);
  for (const std::string& screen : {brief_help(command_line), full_help(command_line)})
    for (const Flag& flag : command_line.flags()) EXPECT_NE(screen.find(flag.name), std::string::npos) << flag.name;
}

TEST(CliOptionsTest, dump_lists_every_flag_under_its_attribute) {
  ScannerOptions options;
  const CommandLine command_line = scanner_command_line(options);
  const auto dumped = nlohmann::json::parse(command_line.describe_json());
  ASSERT_EQ(dumped.size(), command_line.flags().size());
  for (const auto& flag : dumped) EXPECT_EQ(flag["attribute"].get<std::string>().find('-'), std::string::npos);
}

}  // namespace
}  // namespace pwalk::tools
