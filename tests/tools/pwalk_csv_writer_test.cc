#include "formats/pwalk_csv_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "built_batch.h"

namespace pwalk::tools {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

schema::Entry at_depth(schema::Entry entry, std::uint32_t depth) {
  entry.depth = depth;
  return entry;
}

class PwalkCsvWriterTest : public testing::Test {
 protected:
  std::vector<std::string> write(const BuiltBatch& batch) {
    std::string out;
    writer.write(batch.view(), out);
    return lines(out);
  }
  std::vector<std::string> finish() {
    std::string out;
    writer.finish(out);
    return lines(out);
  }
  static std::vector<std::string> lines(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> found;
    for (std::string line; std::getline(stream, line);) found.push_back(line);
    return found;
  }
  PwalkCsvWriter writer{false};
};

TEST_F(PwalkCsvWriterTest, header_has_the_classic_names) {
  std::string out;
  writer.begin(out);
  EXPECT_EQ(out,
            "inode,parent-inode,directory-depth,\"filename\",\"fileExtension\",UID,GID,st_size,st_dev,st_blocks,"
            "st_nlink,\"st_mode\",st_atime,st_mtime,st_ctime,pw_fcount,pw_dirsum\n");
}

TEST_F(PwalkCsvWriterTest, file_in_a_root) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/top", 77);
    builder.append(sample_file("a.tar.gz"));
    builder.append(sample_file(".bashrc"));
    builder.append(at_depth(sample_file("q\"t"), 3));
  });
  EXPECT_THAT(write(batch),
              ElementsAre("11,77,0,\"/top/a.tar.gz\",\"gz\",16,17,13,12,14,15,\"0100640\",1,-2,-1,-1,0",
                          "11,77,0,\"/top/.bashrc\",\"\",16,17,13,12,14,15,\"0100640\",1,-2,-1,-1,0",
                          "11,77,2,\"/top/q\"\"t\",\"\",16,17,13,12,14,15,\"0100640\",1,-2,-1,-1,0"));
}

TEST_F(PwalkCsvWriterTest, directory_waits_for_its_record) {
  const BuiltBatch parent([](auto& builder) {
    builder.begin_directory("", 1);
    builder.append(at_depth(sample_directory("top"), 0));
  });
  const BuiltBatch child([](auto& builder) {
    builder.begin_directory("/top", 11);
    builder.append(sample_file("x"));
    builder.end_directory(complete_record(1, 13));
  });
  EXPECT_THAT(write(parent), IsEmpty());
  EXPECT_THAT(write(child), ElementsAre("11,11,0,\"/top/x\",\"\",16,17,13,12,14,15,\"0100640\",1,-2,-1,-1,0",
                                        "11,0,-1,\"/top\",\"\",16,17,13,12,14,15,\"0040755\",1,-2,-1,1,13"));
  EXPECT_THAT(finish(), IsEmpty());
}

TEST_F(PwalkCsvWriterTest, record_may_come_first) {
  const BuiltBatch child([](auto& builder) {
    builder.begin_directory("/top/d", 2);
    builder.end_directory(complete_record(0, 0));
  });
  const BuiltBatch parent([](auto& builder) {
    builder.begin_directory("/top", 1);
    builder.append(sample_directory("d"));
  });
  EXPECT_THAT(write(child), IsEmpty());
  EXPECT_THAT(write(parent), ElementsAre("11,1,0,\"/top/d\",\"\",16,17,13,12,14,15,\"0040755\",1,-2,-1,0,0"));
}

TEST_F(PwalkCsvWriterTest, root_of_everything_finds_its_record) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("", 0);
    builder.append(at_depth(sample_directory(""), 0));
    builder.end_directory(complete_record(5, 50));
  });
  EXPECT_THAT(write(batch), ElementsAre("11,0,-1,\"/\",\"\",16,17,13,12,14,15,\"0040755\",1,-2,-1,5,50"));
}

TEST_F(PwalkCsvWriterTest, root_given_twice_pairs_every_row_with_a_record) {
  const BuiltBatch rows([](auto& builder) {
    builder.begin_directory("/x", 1);
    builder.append(sample_directory("d"));
    builder.append(sample_directory("d"));
  });
  const BuiltBatch records([](auto& builder) {
    builder.begin_directory("/x/d", 11);
    builder.end_directory(complete_record(3, 30));
    builder.begin_directory("/x/d", 11);
    builder.end_directory(complete_record(4, 40));
  });
  EXPECT_THAT(write(rows), IsEmpty());
  EXPECT_EQ(write(records).size(), 2u);
  EXPECT_THAT(finish(), IsEmpty());
}

TEST_F(PwalkCsvWriterTest, unreadable_directory_has_no_counts) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/top", 1);
    builder.append(sample_directory("locked"));
    builder.begin_directory("/top/locked", 11);
    builder.end_directory(unopened_record(EACCES));
  });
  EXPECT_THAT(write(batch), ElementsAre("11,1,0,\"/top/locked\",\"\",16,17,13,12,14,15,\"0040755\",1,-2,-1,-1,0"));
}

TEST_F(PwalkCsvWriterTest, what_stays_alone_is_printed_at_the_end) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/top", 1);
    builder.append(sample_directory("not-entered.d"));
    builder.begin_directory("/else/where.d", 11);
    builder.end_directory(complete_record(2, 20));
  });
  EXPECT_THAT(write(batch), IsEmpty());
  EXPECT_THAT(finish(), UnorderedElementsAre(
                            "11,1,0,\"/top/not-entered.d\",\"d\",16,17,13,12,14,15,\"0040755\",1,-2,-1,-1,0",
                            ",,,\"/else/where.d\",\"d\",,,,,,,,,,,2,20"));
}

TEST_F(PwalkCsvWriterTest, every_line_has_seventeen_columns) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/top", 1);
    builder.append(unreadable("gone", EACCES));
    builder.append(sample_directory("d"));
    builder.begin_directory("/other", 1);
    builder.end_directory(complete_record(1, 1));
  });
  auto all = write(batch);
  const auto rest = finish();
  all.insert(all.end(), rest.begin(), rest.end());
  ASSERT_EQ(all.size(), 3u);
  for (const auto& line : all) EXPECT_EQ(std::count(line.begin(), line.end(), ','), 16) << line;
}

}  // namespace
}  // namespace pwalk::tools
