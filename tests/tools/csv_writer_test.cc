#include "formats/csv_writer.h"

#include <gtest/gtest.h>

#include "built_batch.h"

namespace pwalk::tools {
namespace {

std::string written(const BuiltBatch& batch, const char* columns = nullptr, bool for_terminal = false) {
  CsvWriter writer(columns ? *parse_output_columns(columns) : default_csv_columns(), for_terminal);
  std::string out;
  writer.begin(out);
  writer.write(batch.view(), out);
  return out;
}

TEST(CsvWriterTest, header_and_every_default_column) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/top", 1);
    builder.append(sample_file("name"));
  });
  EXPECT_EQ(written(batch),
            "path,type,inode,device,mode,nlink,uid,gid,size,blocks,atime,mtime,ctime,btime,error,flags\n"
            "/top/name,f,11,12,100640,15,16,17,13,14,1500000000,-1500000000,-1,4,0,0\n");
}

TEST(CsvWriterTest, unknown_values_are_empty) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/top", 1);
    builder.append(unreadable("x", 13));
  });
  EXPECT_EQ(written(batch, "path,type,size,mtime,error,operation"),
            "path,type,size,mtime,error,operation\n/top/x,f,,,13,statx\n");
}

TEST(CsvWriterTest, columns_that_were_not_fetched_are_empty) {
  const BuiltBatch batch(
      [](auto& builder) {
        builder.begin_directory("/top", 1);
        auto entry = sample_file("x");
        entry.known = {schema::Column::type};
        builder.append(entry);
      },
      {schema::Column::type});
  EXPECT_EQ(written(batch, "type,size,name"), "type,size,name\nf,,x\n");
}

TEST(CsvWriterTest, quotes_as_rfc_4180_and_bytes_as_they_are) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/a,b", 1);
    builder.append(sample_file("plain"));
    builder.begin_directory("/q", 1);
    builder.append(sample_file("say \"hi\""));
    builder.append(sample_file("line\nfeed"));
    builder.append(sample_file("\xff\x01 \xc3\xa9"));
    builder.append(sample_file("\r"));
  });
  EXPECT_EQ(written(batch, "path,directory,name"),
            "path,directory,name\n"
            "\"/a,b/plain\",\"/a,b\",plain\n"
            "\"/q/say \"\"hi\"\"\",/q,\"say \"\"hi\"\"\"\n"
            "\"/q/line\nfeed\",/q,\"line\nfeed\"\n"
            "/q/\xff\x01 \xc3\xa9,/q,\xff\x01 \xc3\xa9\n"
            "\"/q/\r\",/q,\"\r\"\n");
}

TEST(CsvWriterTest, terminal_gets_escapes_instead_of_controls) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/\x1b", 1);
    builder.append(sample_file("a\n,"));
  });
  EXPECT_EQ(written(batch, "path", true), "path\n\"/\\x1b/a\\n,\"\n");
}

TEST(CsvWriterTest, root_of_everything) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("", 0);
    builder.append(sample_directory(""));
    builder.append(sample_file("x"));
  });
  EXPECT_EQ(written(batch, "path,directory,name"), "path,directory,name\n/,,\n/x,,x\n");
}

TEST(CsvWriterTest, extreme_numbers) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/top", 1);
    auto entry = sample_file("x");
    entry.size = entry.inode = UINT64_MAX;
    entry.mtime = INT64_MIN;
    entry.ctime = INT64_MAX;
    builder.append(entry);
  });
  EXPECT_EQ(written(batch, "inode,size,mtime,ctime"),
            "inode,size,mtime,ctime\n"
            "18446744073709551615,18446744073709551615,-9223372036854775808,9223372036854775807\n");
}

}  // namespace
}  // namespace pwalk::tools
