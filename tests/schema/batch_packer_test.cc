#include "pwalk/schema/batch_packer.h"

#include <gtest/gtest.h>

#include "schema/random_rows.h"

namespace pwalk::schema {
namespace {

using namespace testing;

/// Rows and records in the order in which they went in, each with its directory's path, whatever the limits.
TEST(BatchPackerTest, nothing_is_lost_between_batches) {
  Random random(test_seed());
  for (const BatchLimits limits : {BatchLimits{.rows = 1}, BatchLimits{.rows = 7}, BatchLimits{.bytes = 8192}, BatchLimits{}}) {
    const auto tree = random_tree(random, 300, Values::wild, true);
    std::vector<std::string> wanted, found;
    BatchPacker packer(ColumnSet::all(), limits);
    const auto hand_out = [&](const FinishedBatch& batch) {
      const AlignedBytes bytes(batch.bytes);
      const auto view = EntryBatchView::check(bytes.span());
      ASSERT_TRUE(view) << view.error().message();
      EXPECT_LE(view->rows(), limits.rows);
      for (std::uint32_t row = 0; row < view->rows(); ++row) found.push_back(view->path(row));
      for (std::uint32_t i = 0; i < view->record_count(); ++i) {
        std::string path;
        view->append_directory_path(view->record(i).directory, path);
        found.push_back("end of " + path);
      }
    };
    for (const Listing& listing : tree) {
      packer.enter(listing.path, listing.inode);
      EXPECT_EQ(packer.path(), listing.path);
      for (const Row& row : listing.rows) {
        wanted.push_back(row.path());
        EXPECT_TRUE(packer.append(entry_of(row), hand_out));
      }
      if (!listing.has_record) continue;
      wanted.push_back("end of " + listing.path);
      EXPECT_TRUE(packer.close(listing.record, hand_out));
    }
    packer.flush(hand_out);
    std::sort(wanted.begin(), wanted.end());  // a batch has its rows before its records
    std::sort(found.begin(), found.end());
    EXPECT_EQ(found, wanted);
  }
}

TEST(BatchPackerTest, without_rows_nothing_is_handed_out) {
  BatchPacker packer(ColumnSet::all(), {});
  packer.enter("/somewhere", 1);
  packer.flush([](const FinishedBatch&) { FAIL(); });
}

}  // namespace
}  // namespace pwalk::schema
