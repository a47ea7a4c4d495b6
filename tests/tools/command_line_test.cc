#include "cli/command_line.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace pwalk::tools {
namespace {

enum class Colour { red, green };

struct Paint {
  std::optional<std::string> label;
  std::optional<ByteSize> tin;
  std::optional<Seconds> drying;
  std::uint32_t coats = 1;
  Colour colour = Colour::red;
  bool glossy = false;
  bool primer = true;
  bool no_smell = false;
  std::vector<std::string> wall;
};

}  // namespace
}  // namespace pwalk::tools

namespace pwalk {
template <>
struct EnumWords<tools::Colour> {
  static constexpr std::array<std::pair<std::string_view, tools::Colour>, 2> words{
      {{"red", tools::Colour::red}, {"green", tools::Colour::green}}};
};
}  // namespace pwalk

namespace pwalk::tools {
namespace {

constexpr std::tuple kPaintSpecs{
    OptionSpec{"label", &Paint::label, "TEXT", "what stands on it"},
    OptionSpec{"tin-size", &Paint::tin, "SIZE", "size of a tin", 1024},
    OptionSpec{"drying", &Paint::drying, "SECONDS", "time to dry"},
    OptionSpec{"coats", &Paint::coats, "N", "coats of paint", 1, 9},
    OptionSpec{"colour", &Paint::colour, "WORD", "red or green"},
    OptionSpec{"glossy", &Paint::glossy, "", "shines"},
    OptionSpec{"primer", &Paint::primer, "", "with primer (default)"},
    OptionSpec{"no-smell", &Paint::no_smell, "", "does not smell"},
    OptionSpec{"wall", &Paint::wall, "NAME", "a wall to paint"},
};

class CommandLineTest : public testing::Test {
 protected:
  CommandLineTest() { command_line.add("Paint", paint, kPaintSpecs); }

  /// The line it refuses with, or "" if it does not.
  std::string refusal(std::vector<const char*> words) {
    words.insert(words.begin(), "paint");
    const auto parsed = command_line.parse(int(words.size()), words.data());
    if (parsed) return "";
    EXPECT_EQ(parsed.error().code, EINVAL);
    EXPECT_EQ(parsed.error().what.find('\n'), std::string::npos);
    return parsed.error().what;
  }

  Paint paint;
  CommandLine command_line{"paint", "[options] THING...", "Paints."};
};

TEST_F(CommandLineTest, every_kind_of_value) {
  EXPECT_EQ(refusal({"--label", "x y", "--tin-size=2M", "--drying", "1.5", "--coats", "9", "--colour=green", "--glossy",
                     "--no-primer", "--no-smell", "--wall", "north", "--wall=south", "thing"}),
            "");
  EXPECT_EQ(paint.label, "x y");
  EXPECT_EQ(paint.tin, ByteSize{2 << 20});
  EXPECT_EQ(paint.drying, Seconds{1.5});
  EXPECT_EQ(paint.coats, 9u);
  EXPECT_EQ(paint.colour, Colour::green);
  EXPECT_TRUE(paint.glossy);
  EXPECT_FALSE(paint.primer);
  EXPECT_TRUE(paint.no_smell);
  EXPECT_EQ(paint.wall, (std::vector<std::string>{"north", "south"}));
  EXPECT_EQ(command_line.arguments(), std::vector<std::string>{"thing"});
}

TEST_F(CommandLineTest, nothing_given_changes_nothing) {
  EXPECT_EQ(refusal({}), "");
  EXPECT_EQ(paint.label, std::nullopt);
  EXPECT_TRUE(paint.primer);
}

TEST_F(CommandLineTest, last_one_wins) {
  EXPECT_EQ(refusal({"--coats", "2", "--glossy", "--coats=3", "--no-glossy", "--no-smell", "--smell"}), "");
  EXPECT_EQ(paint.coats, 3u);
  EXPECT_FALSE(paint.glossy);
  EXPECT_FALSE(paint.no_smell);
}

TEST_F(CommandLineTest, strange_arguments_stay_as_they_are) {
  EXPECT_EQ(refusal({"[a,b]", "--wall", "[c,d]", "", "-", "--", "--coats", "--"}), "");
  EXPECT_EQ(command_line.arguments(), (std::vector<std::string>{"[a,b]", "", "-", "--coats", "--"}));
  EXPECT_EQ(paint.wall, std::vector<std::string>{"[c,d]"});
}

TEST_F(CommandLineTest, values_that_look_like_options) {
  EXPECT_EQ(refusal({"--label=--coats", "--wall=-x"}), "");
  EXPECT_EQ(paint.label, "--coats");
  EXPECT_EQ(paint.wall, std::vector<std::string>{"-x"});
}

TEST_F(CommandLineTest, wrong_values_name_option_value_and_what_is_allowed) {
  EXPECT_EQ(refusal({"--coats", "0"}), "--coats '0': allowed are whole numbers from 1 to 9");
  EXPECT_EQ(refusal({"--coats", "ten"}), "--coats 'ten': allowed are whole numbers from 1 to 9");
  EXPECT_EQ(refusal({"--coats=-1"}), "--coats '-1': allowed are whole numbers from 1 to 9");
  EXPECT_EQ(refusal({"--tin-size", "12"}), "--tin-size '12': allowed are sizes from 1K");
  EXPECT_EQ(refusal({"--tin-size", "1.5G"}), "--tin-size '1.5G': allowed are sizes such as 4096, 512K, 64M, 2G or 1T");
  EXPECT_EQ(refusal({"--drying", "soon"}), "--drying 'soon': allowed are seconds from 0 to 1e9");
  EXPECT_EQ(refusal({"--drying", "nan"}), "--drying 'nan': allowed are seconds from 0 to 1e9");
  EXPECT_EQ(refusal({"--colour", "blue"}), "--colour 'blue': allowed are red, green");
  EXPECT_EQ(refusal({"--coats", "\x1b\n"}), "--coats '\\x1b\\n': allowed are whole numbers from 1 to 9");
}

TEST_F(CommandLineTest, missing_and_unwanted_values) {
  EXPECT_EQ(refusal({"--label"}), "--label needs a value: TEXT");
  EXPECT_EQ(refusal({"--label="}), "--label needs a value: TEXT");
  EXPECT_EQ(refusal({"--label=", "thing"}), "--label needs a value: TEXT");
  EXPECT_EQ(refusal({"--colour"}), "--colour needs one of red, green");
  EXPECT_EQ(refusal({"--glossy=yes"}), "--glossy takes no value; allowed are --glossy and --no-glossy");
  EXPECT_EQ(refusal({"--no-primer="}), "--no-primer takes no value; allowed are --primer and --no-primer");
}

TEST_F(CommandLineTest, unknown_options_suggest_the_nearest) {
  EXPECT_EQ(refusal({"--coat", "2"}), "unknown option --coat; did you mean --coats?");
  EXPECT_EQ(refusal({"--colr=red"}), "unknown option --colr; did you mean --colour?");
  EXPECT_EQ(refusal({"--no-glosy"}), "unknown option --no-glosy; did you mean --no-glossy?");
  EXPECT_EQ(refusal({"--xyzzy"}), "unknown option --xyzzy; allowed are those of --help-all");
  EXPECT_EQ(refusal({"-x"}), "unknown option -x; allowed are those of --help-all");
  EXPECT_EQ(refusal({"--\x1b[2J"}), "unknown option --\\x1b[2J; allowed are those of --help-all");
}

TEST_F(CommandLineTest, help_wins_over_wrong_values) {
  EXPECT_EQ(refusal({"-h", "--coats", "0"}), "");
  EXPECT_TRUE(command_line.help());
}

TEST_F(CommandLineTest, description_is_json_with_attribute_names) {
  const auto flags = nlohmann::json::parse(command_line.describe_json());
  ASSERT_EQ(flags.size(), std::tuple_size_v<decltype(kPaintSpecs)>);
  EXPECT_EQ(flags[1]["attribute"], "tin_size");
  EXPECT_EQ(flags[1]["least"], 1024);
  EXPECT_EQ(flags[3]["default"], "1");
  EXPECT_EQ(flags[3]["most"], 9);
  EXPECT_EQ(flags[4]["words"], (std::vector<std::string>{"red", "green"}));
  EXPECT_EQ(flags[8]["repeatable"], true);
}

}  // namespace
}  // namespace pwalk::tools
