#include "formats/output_column.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pwalk::tools {
namespace {

TEST(OutputColumnTest, list_in_its_order) {
  const auto columns = parse_output_columns("size,path,name");
  ASSERT_TRUE(columns);
  ASSERT_EQ(columns->size(), 3u);
  EXPECT_EQ((*columns)[0].column, schema::Column::size);
  EXPECT_EQ((*columns)[1].source, OutputColumn::Source::path);
  EXPECT_EQ((*columns)[2].source, OutputColumn::Source::name);
}

TEST(OutputColumnTest, unknown_and_empty_names_are_refused_with_all_that_are_allowed) {
  for (const char* list : {"", "size,", ",size", "sizes", "size, path"}) {
    const auto columns = parse_output_columns(list);
    ASSERT_FALSE(columns) << list;
    EXPECT_EQ(columns.error().code, EINVAL);
    EXPECT_THAT(columns.error().what, testing::HasSubstr("allowed are names from path, directory, name, type, inode"));
  }
}

TEST(OutputColumnTest, what_is_wrong_is_named) {
  EXPECT_THAT(parse_output_columns("size,sizes\n").error().what, testing::StartsWith("there is no column 'sizes\\n'; allowed are"));
  const auto twice = parse_output_columns("size,name,size");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, EINVAL);
  EXPECT_THAT(twice.error().what, testing::StartsWith("size stands there twice"));
}

TEST(OutputColumnTest, fetched_columns_are_those_that_there_are) {
  schema::ColumnSet there;
  there.insert(schema::Column::size);
  there.insert(schema::Column::target);
  std::vector<std::string_view> names;
  for (const OutputColumn& column : fetched_columns(there)) names.push_back(column.name);
  EXPECT_THAT(names, testing::ElementsAre("directory", "name", "size", "target"));
}

TEST(OutputColumnTest, every_column_of_a_batch_can_be_asked_for) {
  for (const auto& spec : schema::kColumns) {
    const auto columns = parse_output_columns(spec.name);
    ASSERT_TRUE(columns) << spec.name;
    EXPECT_EQ(columns->front().column, spec.id);
  }
  for (const auto& spec : schema::kTextColumns) {
    const auto columns = parse_output_columns(spec.name);
    ASSERT_TRUE(columns);
    EXPECT_EQ(columns->at(0).source, OutputColumn::Source::text);
    EXPECT_EQ(columns->at(0).column, spec.id);
  }
  EXPECT_EQ(default_jsonl_columns().size(), (schema::ColumnSet::all() - schema::ColumnSet::opt_in()).size() + 1);
}

}  // namespace
}  // namespace pwalk::tools
