#include "pwalk/schema/entry_batch_view.h"

#include <gtest/gtest.h>

#include <limits>

#include "schema/random_rows.h"
#include "schema/raw_batch.h"

namespace pwalk::schema {
namespace {

using testing::AlignedBytes;
using testing::RawBatch;

EntryBatchView checked(const AlignedBytes& bytes) {
  return EntryBatchView::check(bytes.span()).value();
}

RawBatch::Column sizes(std::initializer_list<std::uint64_t> values) {
  RawBatch::Column column{std::uint8_t(Column::size), false, {}, 0, {}};
  for (const std::uint64_t value : values)
    for (int i = 0; i < 8; ++i) column.values.push_back(std::uint8_t(value >> 8 * i));
  return column;
}

TEST(EntryBatchView, ColumnsPointIntoTheBatch) {
  const AlignedBytes bytes = testing::sound_batch().write();
  const EntryBatchView view = checked(bytes);
  for (const ColumnSpec& spec : kColumns) {
    const ColumnView& column = view.column(spec.id);
    EXPECT_EQ(bool(column), view.columns().has(spec.id));
    if (!column) continue;
    EXPECT_GE(column.values, bytes.span().data());
    EXPECT_LT(column.values, bytes.span().data() + bytes.span().size());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(column.values) % 64, 0U);
    EXPECT_EQ(column.width, width_of(spec.element));
  }
}

TEST(EntryBatchView, WidensValuesWithoutTheirNeighbours) {
  const AlignedBytes bytes = testing::sound_batch().write();
  const EntryBatchView view = checked(bytes);
  EXPECT_EQ(view.column(Column::type).at<std::uint64_t>(1), std::uint64_t('d'));
  EXPECT_EQ(view.column(Column::uid).at<std::int64_t>(0), 1000);
  EXPECT_EQ(view.column(Column::size).at<std::uint16_t>(1), 4096);
}

TEST(EntryBatchView, SumsRegularFilesOnlyAndSaturates) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  RawBatch batch = testing::sound_batch();  // f d f f
  batch.column(Column::size) = sizes({1, 1000, kMost - 4, 3});
  EXPECT_EQ(checked(batch.write()).file_bytes(), kMost);
  batch.column(Column::size) = sizes({1, 1000, kMost - 4, 4});
  EXPECT_EQ(checked(batch.write()).file_bytes(), kMost);
  batch.column(Column::size) = sizes({1, kMost, 2, 4});
  EXPECT_EQ(checked(batch.write()).file_bytes(), 7U);
  batch.columns.erase(batch.columns.begin());
  EXPECT_EQ(checked(batch.write()).file_bytes(), 0U) << "no types, no files";
}

TEST(EntryBatchView, AppendsPathsToWhatIsThere) {
  const AlignedBytes bytes = testing::sound_batch().write();
  const EntryBatchView view = checked(bytes);
  std::string out = "./";
  view.append_path(3, out);
  EXPECT_EQ(out, ".//data/other/dddd");
  view.append_directory_path(1, out);
  EXPECT_EQ(out, ".//data/other/dddd/data/one/two");
  EXPECT_EQ(view.directory_path_length(1), std::string("/data/one/two").size());
  EXPECT_EQ(view.directory_inode(1), 12U);
}

TEST(EntryBatchView, GivesRecordsWithTheirDirectories) {
  RawBatch batch = testing::sound_batch();
  batch.records.error = {0, 13};
  batch.records.operation = {0, std::uint8_t(Operation::getdents)};
  const AlignedBytes bytes = batch.write();
  const EntryBatchView view = checked(bytes);
  ASSERT_EQ(view.record_count(), 2U);
  const PlacedRecord placed = view.record(1);
  EXPECT_EQ(placed.directory, 2U);
  EXPECT_EQ(placed.record.entries, 1U);
  EXPECT_EQ(placed.record.bytes, 7U);
  EXPECT_EQ(placed.record.flags, kComplete);
  EXPECT_EQ(placed.record.error, 13U);
  EXPECT_EQ(placed.record.operation, Operation::getdents);
}

}  // namespace
}  // namespace pwalk::schema
