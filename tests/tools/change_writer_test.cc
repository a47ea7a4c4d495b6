#include "change_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "built_batch.h"
#include "support/collecting_sink.h"

namespace pwalk::publish {
namespace {

using pwalk::testing::CollectingSink;
using tools::complete_record;
using tools::sample_file;

std::vector<std::string> paths_of(const CollectingSink& sink) {
  std::vector<std::string> paths;
  for (const auto& row : sink.rows) paths.push_back(row.path());
  return paths;
}

TEST(ChangeWriterTest, rows_keep_their_directory_over_several_batches) {
  CollectingSink sink;
  ChangeWriter writer(schema::ColumnSet::all(), {.rows = 2}, sink, 0);
  std::vector<std::string> wanted;
  for (const std::string directory : {"/srv/a", "/srv/b", ""}) {
    writer.enter(directory, 7);
    for (const std::string name : {"one", "two", "three"}) {
      ASSERT_TRUE(writer.append(sample_file(name)));
      wanted.push_back(directory + "/" + name);
    }
    ASSERT_TRUE(writer.close(complete_record(3, 39)));
  }
  ASSERT_TRUE(writer.flush());
  EXPECT_EQ(paths_of(sink), wanted);
  EXPECT_GE(sink.batches, 5u);
  EXPECT_EQ(sink.records.size(), 3u);
  EXPECT_THAT(sink.complaints, ::testing::IsEmpty());
}

TEST(ChangeWriterTest, nothing_to_tell_is_no_batch) {
  CollectingSink sink;
  ChangeWriter writer(schema::ColumnSet::all(), {}, sink, 0);
  ASSERT_TRUE(writer.flush());
  writer.enter("/srv", 1);
  ASSERT_TRUE(writer.flush());
  EXPECT_EQ(sink.batches, 0u);
}

TEST(ChangeWriterTest, what_the_lanes_refuse_is_an_error_of_the_call_that_flushed) {
  CollectingSink sink;
  sink.refusing = true;
  ChangeWriter writer(schema::ColumnSet::all(), {.rows = 1}, sink, 0);
  writer.enter("/srv", 1);
  ASSERT_TRUE(writer.append(sample_file("one")));
  const auto second = writer.append(sample_file("two"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ECANCELED);
  const auto flushed = writer.flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, ECANCELED);
}

}  // namespace
}  // namespace pwalk::publish
