#include "pwalk/schema/entry_batch_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

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
    if (view->rows() + view->record_count() > 2) {
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
                      Shape{Values::wild, false, ColumnSet::all(), {.rows = 7, .bytes = 64 * 1024}},
                      Shape{Values::wild, true, ColumnSet::all(), {.rows = 4096, .bytes = 16 * 1024}},
                      Shape{Values::wild, true, ColumnSet{}, {.rows = 100, .bytes = 8 * 1024}}));

}  // namespace
}  // namespace pwalk::schema
