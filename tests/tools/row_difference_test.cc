#include "row_difference.h"

#include <gtest/gtest.h>

#include "built_batch.h"

namespace pwalk::publish {
namespace {

using schema::Column;
using schema::ColumnSet;
using schema::Entry;

Entry sample() {
  Entry entry;
  entry.name = "name";
  entry.type = 'f';
  entry.known = ColumnSet::all() | ColumnSet::texts();
  entry.target = "target";
  return entry;
}

class RowDifferenceTest : public testing::Test {
 protected:
  bool differ(const Entry& before, const Entry& after) {
    const auto one = batch_of(before), other = batch_of(after);
    const ColumnSet all = ColumnSet::all() | ColumnSet::texts();
    return differs({one.view(), 0}, {other.view(), 0}, compared_columns(all, all));
  }
  static tools::BuiltBatch batch_of(const Entry& entry) {
    return tools::BuiltBatch(
        [&](tools::SmallBatchBuilder& builder) {
          builder.begin_directory("/d", 1);
          builder.append(entry);
        },
        ColumnSet::all() | ColumnSet::texts());
  }
};

TEST_F(RowDifferenceTest, every_fact_counts_but_those_that_looking_or_mounting_changes) {
  using Change = void (*)(Entry&);
  const std::vector<std::pair<Change, bool>> changes{
      {[](Entry&) {}, false},
      {[](Entry& e) { e.atime = 1; }, false},
      {[](Entry& e) { e.mount_id = 1; }, false},
      {[](Entry& e) { e.device = 1; }, false},
      {[](Entry& e) { e.depth = 1; }, false},
      {[](Entry& e) { e.flags = schema::kLazy; }, false},
      {[](Entry& e) { e.flags = schema::kOtherMount; }, true},
      {[](Entry& e) { e.type = 'd'; }, true},
      {[](Entry& e) { e.size = 1; }, true},
      {[](Entry& e) { e.blocks = 1; }, true},
      {[](Entry& e) { e.mode = 1; }, true},
      {[](Entry& e) { e.nlink = 1; }, true},
      {[](Entry& e) { e.uid = 1; }, true},
      {[](Entry& e) { e.gid = 1; }, true},
      {[](Entry& e) { e.mtime = -1; }, true},
      {[](Entry& e) { e.ctime = -1; }, true},
      {[](Entry& e) { e.btime = -1; }, true},
      {[](Entry& e) { e.inode = 1; }, true},
      {[](Entry& e) { e.error = 13; }, true},
      {[](Entry& e) { e.target = "another"; }, true},
      {[](Entry& e) { e.known.erase(Column::size); }, true},  // 0 and unknown are not the same
      {[](Entry& e) { e.target = "", e.known.erase(Column::target); }, true},
  };
  for (std::size_t at = 0; at < changes.size(); ++at) {
    Entry changed = sample();
    changes[at].first(changed);
    EXPECT_EQ(differ(sample(), changed), changes[at].second) << at;
    EXPECT_EQ(differ(changed, sample()), changes[at].second) << at;
  }
}

TEST_F(RowDifferenceTest, columns_of_one_side_alone_are_not_compared) {
  const ColumnSet names{Column::type, Column::depth};
  EXPECT_EQ(compared_columns(names, ColumnSet::all()), (ColumnSet{Column::type}));
  EXPECT_EQ(compared_columns(ColumnSet::all(), names), (ColumnSet{Column::type}));
}

}  // namespace
}  // namespace pwalk::publish
