#include "formats/entry_writer.h"

#include <gtest/gtest.h>

#include "built_batch.h"

namespace pwalk::tools {
namespace {

std::string everything_written(WriterOptions options) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/top", 1);
    builder.append(sample_file("x"));
  });
  const auto writer = make_entry_writer(options);
  std::string out;
  writer->begin(out);
  writer->write(batch.view(), out);
  writer->finish(out);
  return out;
}

TEST(EntryWriterTest, every_word_makes_its_own_format) {
  for (const auto& [word, format] : EnumWords<Format>::words) {
    WriterOptions options;
    options.format = format;
    const std::string out = everything_written(options);
    const std::string beginning = format == Format::csv         ? "path,type,"
                                  : format == Format::jsonl     ? "{\"path\":\"/top/x\""
                                  : format == Format::pwalk_csv ? "inode,parent-inode,"
                                  : format == Format::arrow     ? "\xff\xff\xff\xff"
                                  : format == Format::null      ? std::string("/top/x\0", 7)
                                                                : "/top/x\n";
    EXPECT_EQ(out.compare(0, beginning.size(), beginning), 0) << word;
  }
}

TEST(EntryWriterTest, chosen_columns_replace_the_default_ones) {
  WriterOptions options;
  options.columns = *parse_output_columns("size,name");
  options.format = Format::csv;
  EXPECT_EQ(everything_written(options), "size,name\n13,x\n");
  options.format = Format::jsonl;
  EXPECT_EQ(everything_written(options), "{\"size\":13,\"name\":\"x\"}\n");
}

}  // namespace
}  // namespace pwalk::tools
