#include "cli/help_screen.h"

#include <gtest/gtest.h>

#include <sstream>

namespace pwalk::tools {
namespace {

struct Boat {
  std::uint32_t sails = 2;
  bool keel = true;
  std::string harbour;
};
constexpr std::tuple kBoatSpecs{
    OptionSpec{"sails", &Boat::sails, "N", "number of sails; more is faster but needs a crew that knows about them", 1, 9},
    OptionSpec{"keel", &Boat::keel, "", "with a keel (default)"},
};
constexpr std::tuple kHarbourSpecs{OptionSpec{"harbour", &Boat::harbour, "NAME", "where it lies"}};

class HelpScreenTest : public testing::Test {
 protected:
  HelpScreenTest() {
    command_line.add("Boat", boat, kBoatSpecs);
    command_line.add("Place", boat, kHarbourSpecs, Listing::name);
  }
  Boat boat;
  CommandLine command_line{"boat", "[options]", "Floats."};
};

TEST_F(HelpScreenTest, brief_keeps_the_first_clause_and_lists_the_rest_by_name) {
  EXPECT_EQ(brief_help(command_line),
            "usage: boat [options]\n"
            "Floats.\n"
            "\n"
            "Boat:\n"
            "  --sails N                 number of sails\n"
            "  --[no-]keel               with a keel (default)\n"
            "\n"
            "Tuning (see --help-all):\n"
            "  --harbour NAME\n"
            "  -h, --help, --help-all    this screen; everything\n");
}

TEST_F(HelpScreenTest, full_has_ranges_and_defaults_within_80_columns) {
  const std::string text = full_help(command_line);
  EXPECT_NE(text.find("Allowed are whole numbers\n                            from 1 to 9."), text.npos);
  EXPECT_NE(text.find("Default 2."), text.npos);
  EXPECT_NE(text.find("--harbour NAME"), text.npos);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
}

}  // namespace
}  // namespace pwalk::tools
