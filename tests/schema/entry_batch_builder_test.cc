#include "pwalk/schema/entry_batch_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "entry_fields.h"
#include "pwalk/schema/row_hash.h"
#include "schema/random_rows.h"

namespace pwalk::schema {
namespace {

using testing::AlignedBytes;
using testing::Built;
using testing::Listing;
using testing::Random;
using testing::Row;
using testing::Values;

/// What a reader gets back, in order.
struct ReadBack {
  std::vector<Row> rows;
  std::vector<std::uint64_t> directory_inodes;  ///< per row
  std::vector<std::pair<std::string, DirectoryRecord>> records;
};

Row row_of(const EntryBatchView& view, std::uint32_t i) {
  Row row;
  view.append_directory_path(std::uint32_t(view.directory_index()[i]), row.directory);
  row.name = view.name(i);
  for_each_field([&](auto column, auto member) {
    const ColumnView& values = view.column(kColumns[column].id);
    if (!values) return;
    row.entry.*member = values.at<FieldType<column>>(i);
    if (values.is_valid(i)) row.entry.known.insert(kColumns[column].id);
  });
  std::string Row::*const texts[] = {&Row::target, &Row::pool};
  for (std::size_t text = 0; text < kTextColumnCount; ++text) {
    const TextView& values = view.text(kTextColumns[text].id);
    if (!values) continue;
    row.*texts[text] = values.at(i);
    if (values.is_valid(i)) row.entry.known.insert(kTextColumns[text].id);
  }
  return row;
}

ReadBack read_back(const Built& built) {
  ReadBack read;
  for (const AlignedBytes& batch : built.batches) {
    const auto view = EntryBatchView::check(batch.span());
    if (!view) {
      ADD_FAILURE() << view.error().message();
      continue;
    }
    for (std::uint32_t i = 0; i < view->rows(); ++i) {
      read.rows.push_back(row_of(*view, i));
      read.directory_inodes.push_back(view->directory_inode(std::uint32_t(view->directory_index()[i])));
      EXPECT_EQ(view->path(i), read.rows.back().path());
    }
    for (std::uint32_t i = 0; i < view->record_count(); ++i) {
      const PlacedRecord placed = view->record(i);
      std::string path;
      view->append_directory_path(placed.directory, path);
      read.records.emplace_back(path, placed.record);
    }
  }
  return read;
}

void expect_same_entry(const Entry& actual, const Entry& expected, ColumnSet columns,
                       const std::string& where) {
  EXPECT_EQ(actual.known, expected.known & columns) << where;
  for_each_field([&](auto column, auto member) {
    if ((expected.known & columns).has(kColumns[column].id)) {
      EXPECT_EQ(actual.*member, expected.*member) << kColumns[column].name << " of " << where;
    } else {
      EXPECT_EQ(actual.*member, columns.has(kColumns[column].id) ? FieldType<column>{} : Entry{}.*member);
    }
  });
}

void expect_same(const ReadBack& read, const std::vector<Listing>& tree, ColumnSet columns) {
  std::size_t row = 0, record = 0;
  for (const Listing& listing : tree) {
    for (const Row& expected : listing.rows) {
      ASSERT_LT(row, read.rows.size());
      EXPECT_EQ(read.rows[row].directory, expected.directory);
      EXPECT_EQ(read.rows[row].name, expected.name);
      EXPECT_EQ(read.directory_inodes[row], listing.inode);
      expect_same_entry(read.rows[row].entry, expected.entry, columns, expected.path());
      const ColumnSet known = expected.entry.known & columns;
      EXPECT_EQ(read.rows[row].target, known.has(Column::target) ? expected.target : "");
      EXPECT_EQ(read.rows[row].pool, known.has(Column::pool) ? expected.pool : "");
      ++row;
    }
    if (!listing.has_record) continue;
    ASSERT_LT(record, read.records.size());
    const auto& [path, back] = read.records[record++];
    EXPECT_EQ(path, listing.path);
    EXPECT_EQ(back.entries, listing.record.entries);
    EXPECT_EQ(back.bytes, listing.record.bytes);
    EXPECT_EQ(back.flags, listing.record.flags);
    EXPECT_EQ(back.error, listing.record.error);
    EXPECT_EQ(back.operation, listing.record.operation);
  }
  EXPECT_EQ(row, read.rows.size());
  EXPECT_EQ(record, read.records.size());
}

void expect_facts(const Built& built, BatchLimits limits) {
  for (std::size_t i = 0; i < built.batches.size(); ++i) {
    const auto view = EntryBatchView::check(built.batches[i].span());
    ASSERT_TRUE(view) << view.error().message();
    EXPECT_EQ(view->rows(), built.facts[i].rows);
    EXPECT_EQ(view->record_count(), built.facts[i].records);
    EXPECT_EQ(view->content_hash(), built.facts[i].content_hash);
    EXPECT_EQ(hash_rows(*view), built.facts[i].content_hash);
    EXPECT_EQ(view->file_bytes(), built.facts[i].file_bytes);
    EXPECT_LE(view->rows(), limits.rows);
    // What may exceed the limit is one row with its directory's record, or one record.
    if (view->rows() > 1 || view->record_count() > 1) {
      EXPECT_LE(view->bytes().size(), limits.bytes);
    }
  }
}

struct Shape {
  Values values;
  bool with_nulls;
  ColumnSet columns;
  BatchLimits limits;
};

class RoundTrip : public ::testing::TestWithParam<Shape> {};

TEST_P(RoundTrip, EveryRowAndRecordComesBack) {
  const Shape& shape = GetParam();
  for (std::uint64_t round = 0; round < 20; ++round) {
    Random random(testing::test_seed() + round);
    const auto tree =
        testing::random_tree(random, testing::below(random, 3000), shape.values, shape.with_nulls);
    const Built built = testing::build(tree, shape.columns, shape.limits);
    expect_same(read_back(built), tree, shape.columns);
    expect_facts(built, shape.limits);
  }
}

const ColumnSet kSomeColumns{Column::type, Column::size, Column::mtime, Column::flags};
INSTANTIATE_TEST_SUITE_P(
    Shapes, RoundTrip,
    ::testing::Values(Shape{Values::alike, false, ColumnSet::all(), {}},
                      Shape{Values::alike, true, ColumnSet::all(), {}},
                      Shape{Values::plausible, false, ColumnSet::all(), {}},
                      Shape{Values::plausible, true, kSomeColumns, {}},
                      Shape{Values::plausible, true, ColumnSet::all() | ColumnSet::texts(), {}},
                      Shape{Values::wild, false, ColumnSet{Column::type, Column::pool}, {.rows = 50, .bytes = 4096}},
                      Shape{Values::wild, false, ColumnSet::all(), {.rows = 7, .bytes = 64 * 1024}},
                      Shape{Values::wild, true, ColumnSet::all(), {.rows = 4096, .bytes = 16 * 1024}},
                      Shape{Values::wild, true, ColumnSet{}, {.rows = 100, .bytes = 8 * 1024}}));

Entry plain_entry(std::string_view name) {
  Entry entry;
  entry.name = name;
  entry.known = ColumnSet::all();
  entry.type = 'f';
  return entry;
}

EntryBatchView checked(const AlignedBytes& bytes) {
  const auto view = EntryBatchView::check(bytes.span());
  if (!view) throw std::runtime_error(view.error().message());
  return *view;
}

TEST(EntryBatchBuilder, ABatchMayHoldRecordsOnly) {
  EntryBatchBuilder builder(ColumnSet::all(), {});
  EXPECT_TRUE(builder.empty());
  builder.begin_directory("/unreadable", 4);
  EXPECT_TRUE(builder.empty());
  ASSERT_TRUE(builder.end_directory({.error = 13, .operation = Operation::open}));
  EXPECT_FALSE(builder.empty());
  const FinishedBatch batch = builder.finish();
  EXPECT_EQ(batch.rows, 0U);
  EXPECT_EQ(batch.records, 1U);
  EXPECT_EQ(batch.content_hash, 0U);
  const AlignedBytes bytes(batch.bytes);
  const EntryBatchView view = checked(bytes);
  EXPECT_EQ(view.columns(), ColumnSet::all());
  EXPECT_EQ(view.record(0).record.error, 13U);
  EXPECT_EQ(hash_rows(view), 0U);
  EXPECT_TRUE(builder.empty());
}

TEST(EntryBatchBuilder, ADirectoryWithoutRowsOrRecordLeavesNoTrace) {
  EntryBatchBuilder builder(ColumnSet::all(), {});
  builder.begin_directory("/first", 1);
  builder.begin_directory("/second", 2);
  ASSERT_TRUE(builder.append(plain_entry("name")));
  builder.begin_directory("/third", 3);
  const AlignedBytes bytes(builder.finish().bytes);
  const EntryBatchView view = checked(bytes);
  EXPECT_EQ(view.directory_count(), 1U);
  EXPECT_EQ(view.path(0), "/second/name");
}

TEST(EntryBatchBuilder, ADirectoryBegunAgainGetsAnotherRow) {
  EntryBatchBuilder builder(ColumnSet::all(), {});
  for (const char* path : {"/d", "/d/sub", "/d"}) {
    builder.begin_directory(path, 0);
    ASSERT_TRUE(builder.append(plain_entry("x")));
  }
  ASSERT_TRUE(builder.end_directory({.entries = 2}));
  const AlignedBytes bytes(builder.finish().bytes);
  const EntryBatchView view = checked(bytes);
  EXPECT_EQ(view.directory_count(), 3U);
  EXPECT_EQ(view.path(0), view.path(2));
  EXPECT_EQ(view.record(0).directory, 2U);
}

TEST(EntryBatchBuilder, StoresEqualValuesOnceAlsoWhereNobodyKnowsThem) {
  EntryBatchBuilder builder(ColumnSet::all(), {});
  builder.begin_directory("/d", 0);
  for (int i = 0; i < 1000; ++i) {
    Entry entry = plain_entry("x");
    entry.inode = std::uint64_t(i);
    entry.btime = i;  // without the bit in `known` it does not count
    entry.known.erase(Column::btime);
    ASSERT_TRUE(builder.append(entry));
  }
  const AlignedBytes bytes(builder.finish().bytes);
  const EntryBatchView view = checked(bytes);
  for (const ColumnSpec& spec : kColumns) EXPECT_EQ(view.column(spec.id).constant, spec.id != Column::inode);
  EXPECT_EQ(view.column(Column::btime).null_count, 1000U);
  EXPECT_EQ(view.column(Column::btime).at<std::int64_t>(17), 0);
  EXPECT_LT(view.bytes().size(), 1000 * (8 + 2 + 4 + 1) + 4096U);
}

TEST(EntryBatchBuilder, RefusesRowsBeyondTheLimitAndChangesNothing) {
  EntryBatchBuilder builder(ColumnSet::all(), {.rows = 3});
  builder.begin_directory("/d", 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(builder.full());
    ASSERT_TRUE(builder.append(plain_entry("x")));
  }
  EXPECT_TRUE(builder.full());
  Entry different = plain_entry("y");
  different.size = 5;
  different.known.erase(Column::uid);
  EXPECT_FALSE(builder.append(different));
  EXPECT_TRUE(builder.end_directory({}));  // fits: the directory has rows
  const AlignedBytes bytes(builder.finish().bytes);
  const EntryBatchView view = checked(bytes);
  EXPECT_EQ(view.rows(), 3U);
  EXPECT_TRUE(view.column(Column::size).constant);
  EXPECT_EQ(view.column(Column::uid).null_count, 0U);
}

/// A row whose values differ from all before it makes whole columns appear.
TEST(EntryBatchBuilder, CountsTheColumnsThatARowMakesVarying) {
  const BatchLimits limits{.rows = EntryBatchBuilder::kMaxRows, .bytes = 64 * 1024};
  EntryBatchBuilder builder(ColumnSet::all(), limits);
  builder.begin_directory("/d", 0);
  for (int i = 0; i < 1500; ++i) ASSERT_TRUE(builder.append(plain_entry("x")));
  Random random(testing::test_seed());
  Entry different = testing::random_entry(random, Values::wild, false);
  different.name = "y";
  EXPECT_FALSE(builder.append(different));
  EXPECT_FALSE(builder.full());
  EXPECT_TRUE(builder.append(plain_entry("x")));
  EXPECT_LE(builder.finish().bytes.size(), limits.bytes);
}

TEST(EntryBatchBuilder, UsesItsLimitWell) {
  Random random(testing::test_seed());
  const auto tree = testing::random_tree(random, 20000, Values::plausible, false);
  const BatchLimits limits{.rows = EntryBatchBuilder::kMaxRows};
  const Built built = testing::build(tree, ColumnSet::all(), limits);
  ASSERT_GT(built.batches.size(), 3U);
  for (std::size_t i = 0; i + 1 < built.batches.size(); ++i)  // 8 KiB: padding and one directory's worth
    EXPECT_GT(built.batches[i].span().size(), limits.bytes - 8192);
}

TEST(EntryBatchBuilder, CarriesNamesAndPathsOfAnyLength) {
  EntryBatchBuilder builder(ColumnSet::all(), {});
  const std::string name(700 * 1024, 'n'), path = "/" + std::string(900 * 1024, 'p');
  builder.begin_directory("/short", 0);
  ASSERT_TRUE(builder.append(plain_entry("x")));
  EXPECT_FALSE(builder.append(plain_entry(name)));
  builder.begin_directory(path, 0);
  EXPECT_FALSE(builder.append(plain_entry("x")));
  EXPECT_FALSE(builder.end_directory({}));
  EXPECT_EQ(builder.finish().rows, 1U);

  builder.begin_directory(path, 0);
  ASSERT_TRUE(builder.append(plain_entry(name)));
  EXPECT_TRUE(builder.full());
  EXPECT_FALSE(builder.append(plain_entry("x")));
  ASSERT_TRUE(builder.end_directory({.entries = 1}));
  const AlignedBytes bytes(builder.finish().bytes);
  const EntryBatchView view = checked(bytes);
  EXPECT_EQ(view.path(0), path + "/" + name);
  EXPECT_EQ(view.record_count(), 1U);
}

TEST(EntryBatchBuilder, CarriesPathsFarBeyondPathMaxInPieces) {
  EntryBatchBuilder builder(ColumnSet::all(), {});
  std::vector<std::string> paths{""};
  for (int depth = 0; depth < 2000; ++depth) {
    paths.push_back(paths.back() + "/d" + std::to_string(depth));
    builder.begin_directory(paths.back(), 0);
    ASSERT_TRUE(builder.append(plain_entry("x")));
  }
  const AlignedBytes bytes(builder.finish().bytes);
  const EntryBatchView view = checked(bytes);
  for (std::uint32_t row = 0; row < view.rows(); row += 37) EXPECT_EQ(view.path(row), paths[row + 1] + "/x");
}

TEST(EntryBatchBuilder, CarriesManyEmptyDirectories) {
  EntryBatchBuilder builder(ColumnSet::all(), {.bytes = std::size_t{8} << 20});
  std::uint32_t count = 0;
  for (;; ++count) {
    builder.begin_directory("/empty/" + std::to_string(count), count);
    if (!builder.end_directory({})) break;
  }
  EXPECT_EQ(count, EntryBatchBuilder::kMaxRows);
  EXPECT_TRUE(builder.full());
  EXPECT_FALSE(builder.append(plain_entry("x")));
  const AlignedBytes bytes(builder.finish().bytes);
  EXPECT_EQ(checked(bytes).record_count(), count);
}

TEST(EntryBatchBuilder, LimitsOutOfReachAreBroughtIntoIt) {
  EntryBatchBuilder builder(ColumnSet::all(),
                            {.rows = 1000000, .bytes = std::numeric_limits<std::size_t>::max()});
  builder.begin_directory("/d", 0);
  std::uint32_t rows = 0;
  while (builder.append(plain_entry("x"))) ++rows;
  EXPECT_EQ(rows, EntryBatchBuilder::kMaxRows);
  const AlignedBytes bytes(builder.finish().bytes);
  EXPECT_EQ(checked(bytes).rows(), rows);
}

}  // namespace
}  // namespace pwalk::schema
