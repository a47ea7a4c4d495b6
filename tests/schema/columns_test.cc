#include "pwalk/schema/columns.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace pwalk::schema {
namespace {

TEST(Columns, NumberIsPlaceInTheTable) {
  for (std::size_t i = 0; i < kColumns.size(); ++i)
    EXPECT_EQ(std::size_t(kColumns[i].id), i) << kColumns[i].name;
}

TEST(Columns, AreFoundByTheirUniqueNames) {
  std::set<std::string_view> names;
  for (const ColumnSpec& spec : kColumns) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
    EXPECT_EQ(column_named(spec.name), spec.id);
  }
  for (std::size_t i = 0; i < kTextColumns.size(); ++i) {
    EXPECT_EQ(std::size_t(kTextColumns[i].id), kFirstText + i);
    EXPECT_TRUE(names.insert(kTextColumns[i].name).second) << kTextColumns[i].name;
    EXPECT_EQ(column_named(kTextColumns[i].name), kTextColumns[i].id);
    EXPECT_EQ(name_of(kTextColumns[i].id), kTextColumns[i].name);
  }
  EXPECT_EQ(column_named("Size"), std::nullopt);
  EXPECT_EQ(column_named(""), std::nullopt);
}

/// Arrow's letters and numpy's words for one column say the same width.
TEST(Columns, ArrowFormatsHaveTheElementsWidth) {
  for (const ColumnSpec& spec : kColumns) {
    const std::size_t width = spec.arrow_format == "C" ? 1 : spec.arrow_format == "I" ? 4 : 8;
    EXPECT_EQ(width, width_of(spec.element)) << spec.name;
    EXPECT_EQ(spec.element == ElementType::i8, spec.arrow_format == "tsn:UTC") << spec.name;
  }
}

TEST(ColumnSet, IsASet) {
  ColumnSet set{Column::size, Column::flags};
  EXPECT_TRUE(set.has(Column::flags));
  EXPECT_FALSE(set.has(Column::type));
  EXPECT_EQ(set.size(), 2U);
  EXPECT_EQ((set | ColumnSet{Column::type}).size(), 3U);
  EXPECT_EQ(set & ColumnSet{Column::size}, ColumnSet{Column::size});
  EXPECT_EQ(set - ColumnSet{Column::size}, ColumnSet{Column::flags});
  set.erase(Column::size);
  set.erase(Column::flags);
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(ColumnSet::all().size(), kColumnCount);
}

TEST(ColumnSet, GoesThroughItsColumnsInAscendingOrder) {
  const auto gone_through = [](ColumnSet set) {
    std::vector<Column> columns;
    for (const Column column : set) columns.push_back(column);
    return columns;
  };
  EXPECT_EQ(gone_through({Column::target, Column::flags, Column::size}),
            (std::vector{Column::size, Column::flags, Column::target}));
  EXPECT_TRUE(gone_through({}).empty());
  EXPECT_EQ(gone_through(ColumnSet::all()).size(), kColumnCount);
}

}  // namespace
}  // namespace pwalk::schema
