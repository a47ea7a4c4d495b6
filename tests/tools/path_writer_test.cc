#include "formats/path_writer.h"

#include <gtest/gtest.h>

#include "built_batch.h"

namespace pwalk::tools {
namespace {

std::string written(char end, bool for_terminal) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("", 1);
    builder.append(sample_directory(""));
    builder.append(sample_directory("a\nb"));
    builder.begin_directory("/a\nb", 2);
    builder.append(sample_file("\xff"));
  });
  std::string out;
  PathWriter(end, for_terminal).write(batch.view(), out);
  return out;
}

TEST(PathWriterTest, raw_bytes_into_a_pipe) { EXPECT_EQ(written('\n', false), "/\n/a\nb\n/a\nb/\xff\n"); }

TEST(PathWriterTest, null_ends_every_path) {
  EXPECT_EQ(written('\0', false), std::string("/\0/a\nb\0/a\nb/\xff\0", 14));
}

TEST(PathWriterTest, escaped_on_a_terminal) { EXPECT_EQ(written('\n', true), "/\n/a\\nb\n/a\\nb/\\xff\n"); }

}  // namespace
}  // namespace pwalk::tools
