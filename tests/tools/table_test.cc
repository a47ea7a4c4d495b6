#include "text/table.h"

#include <gtest/gtest.h>

namespace pwalk::tools {
namespace {

TEST(TableTest, aligned_by_what_is_shown) {
  Table table({"NAME", "STATE"});
  table.add({"gr\xc3\xbc\xc3\x9f" "e", "walking"});
  table.add({"a", "dead"});
  EXPECT_EQ(table.aligned(),
            "NAME   STATE\n"
            "gr\xc3\xbc\xc3\x9f" "e  walking\n"
            "a      dead\n");
}

TEST(TableTest, tabs_for_pipes) {
  Table table({"NAME", "STATE"});
  table.add({"a", "dead"});
  EXPECT_EQ(table.separated_by_tabs(), "NAME\tSTATE\na\tdead\n");
}

}  // namespace
}  // namespace pwalk::tools
