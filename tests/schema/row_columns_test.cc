#include "row_columns.h"

#include <gtest/gtest.h>

#include "schema/random_rows.h"

namespace pwalk::schema {
namespace {

using testing::Random;
using testing::Values;

Entry known_entry() {
  Entry entry;
  entry.known = ColumnSet::all();
  return entry;
}

void add(RowColumns& columns, std::uint32_t row, const Entry& entry) {
  columns.store(row, entry, columns.columns() - entry.known,
                row == 0 ? ColumnSet{} : columns.made_varying_by(entry));
}

TEST(RowColumns, NoticesEachColumnThatStopsBeingConstant) {
  for_each_field([](auto column, auto member) {
    const Column id = kColumns[column].id;
    RowColumns columns(ColumnSet::all(), 8);
    Entry entry = known_entry();
    add(columns, 0, entry);
    EXPECT_TRUE(columns.made_varying_by(entry).empty());
    entry.*member = FieldType<column>(1);
    EXPECT_EQ(columns.made_varying_by(entry), ColumnSet{id});
    add(columns, 1, entry);
    EXPECT_EQ(columns.varying(), ColumnSet{id});
    entry.*member = FieldType<column>(2);
    EXPECT_TRUE(columns.made_varying_by(entry).empty()) << "varies already";
    for (const ColumnSpec& spec : kColumns)
      EXPECT_EQ(columns.views(2)[std::size_t(spec.id)].constant, spec.id != id);
  });
}

TEST(RowColumns, IgnoresWhatIsNotItsColumn) {
  RowColumns columns(ColumnSet{Column::uid}, 8);
  Random random(testing::test_seed());
  Entry entry = known_entry();
  entry.uid = 7;
  add(columns, 0, entry);
  entry = testing::random_entry(random, Values::wild, false);
  entry.uid = 7;
  EXPECT_TRUE(columns.made_varying_by(entry).empty());
  const auto views = columns.views(1);
  for (const ColumnSpec& spec : kColumns)
    EXPECT_EQ(bool(views[std::size_t(spec.id)]), spec.id == Column::uid);
}

TEST(RowColumns, StartsAfreshAfterClear) {
  RowColumns columns(ColumnSet::all(), 8);
  Entry entry = known_entry();
  add(columns, 0, entry);
  entry.inode = 5;
  entry.known.erase(Column::btime);
  add(columns, 1, entry);
  columns.clear();
  add(columns, 0, entry);
  EXPECT_TRUE(columns.made_varying_by(entry).empty());
  EXPECT_EQ(columns.with_nulls(), ColumnSet{Column::btime});
  entry.inode = 6;
  EXPECT_EQ(columns.made_varying_by(entry), ColumnSet{Column::inode});
}

TEST(RowColumns, BitmapsHaveABitPerKnownValueAndNoneBeyond) {
  for (std::uint32_t rows = 1; rows <= 17; ++rows) {
    RowColumns columns(ColumnSet::all(), 32);
    std::uint32_t nulls = 0;
    for (std::uint32_t row = 0; row < rows; ++row) {
      Entry entry = known_entry();
      if (row % 3 == 0) entry.known.erase(Column::mtime), ++nulls;
      add(columns, row, entry);
    }
    const ColumnView view = columns.views(rows)[std::size_t(Column::mtime)];
    EXPECT_TRUE(view.constant);
    EXPECT_EQ(view.null_count, nulls);
    for (std::uint32_t row = 0; row < rows; ++row) EXPECT_EQ(view.is_valid(row), row % 3 != 0);
    for (std::uint32_t bit = rows; bit % 8 != 0; ++bit) EXPECT_FALSE(view.is_valid(bit));
  }
}

}  // namespace
}  // namespace pwalk::schema
