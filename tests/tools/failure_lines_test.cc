#include "formats/failure_lines.h"

#include <gtest/gtest.h>

#include "built_batch.h"

namespace pwalk::tools {
namespace {

std::string lines_of(const BuiltBatch& batch) {
  std::string out;
  append_failure_lines(batch.view(), out);
  return out;
}

TEST(FailureLinesTest, rows_and_records_as_find_words_them) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/top", 1);
    builder.append(sample_file("fine"));
    builder.append(unreadable("hidden", EACCES));
    builder.end_directory(complete_record(2, 13));
    builder.begin_directory("/top/locked\n", 2);
    builder.end_directory(unopened_record(EACCES));
  });
  EXPECT_EQ(lines_of(batch),
            "pwalk: '/top/hidden': Permission denied\n"
            "pwalk: '/top/locked\\n': Permission denied\n");
}

TEST(FailureLinesTest, nothing_without_failures_or_rows) {
  EXPECT_EQ(lines_of(BuiltBatch([](auto& builder) {
              builder.begin_directory("/top", 1);
              builder.append(sample_file("fine"));
            })),
            "");
  EXPECT_EQ(lines_of(BuiltBatch([](auto& builder) {
              builder.begin_directory("/top", 1);
              builder.end_directory(complete_record(0, 0));
            })),
            "");
}

}  // namespace
}  // namespace pwalk::tools
