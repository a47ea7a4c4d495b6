#include "formats/jsonl_writer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "built_batch.h"

namespace pwalk::tools {
namespace {

using nlohmann::json;

std::vector<std::string> lines_of(const BuiltBatch& batch, const char* columns = nullptr) {
  JsonlWriter writer(columns ? *parse_output_columns(columns) : default_jsonl_columns());
  std::string out;
  writer.write(batch.view(), out);
  std::istringstream stream(out);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(JsonlWriterTest, every_column) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/top", 1);
    builder.append(sample_file("name"));
  });
  const auto lines = lines_of(batch);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(json::parse(lines[0]),
            (json{{"path", "/top/name"}, {"type", "f"},  {"inode", 11},         {"device", 12},
                  {"size", 13},          {"blocks", 14}, {"mode", 0100640},     {"nlink", 15},
                  {"uid", 16},           {"gid", 17},    {"rdev", 18},          {"atime", 1500000000},
                  {"mtime", -1500000000}, {"ctime", -1}, {"btime", 4},          {"mount_id", 20},
                  {"depth", 1},          {"error", 0},   {"operation", "none"}, {"flags", 0}}));
}

TEST(JsonlWriterTest, unknown_is_null) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/top", 1);
    builder.append(unreadable("x", 13));
  });
  const auto row = json::parse(lines_of(batch).at(0));
  EXPECT_TRUE(row["size"].is_null());
  EXPECT_EQ(row["error"], 13);
  EXPECT_EQ(row["operation"], "statx");
}

TEST(JsonlWriterTest, bytes_that_are_no_utf8_come_in_base64) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/top", 1);
    builder.append(sample_file("\xff"));
    builder.append(sample_file("\xc3\xa9"));
  });
  const auto lines = lines_of(batch, "path,directory,name");
  EXPECT_EQ(lines[0], R"({"path_base64":"L3RvcC//","directory":"/top","name_base64":"/w=="})");
  EXPECT_EQ(json::parse(lines[1])["path"], "/top/\xc3\xa9");
}

TEST(JsonlWriterTest, what_a_terminal_must_not_get_is_escaped) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/q", 1);
    builder.append(sample_file("\"\\\n\x1b\x7f\xc2\x9b\xe2\x80\xae"));
  });
  EXPECT_EQ(lines_of(batch, "name").at(0), R"({"name":"\"\\\u000a\u001b\u007f\u009b\u202e"})");
}

TEST(JsonlWriterTest, directories_that_could_not_be_read_are_objects) {
  const BuiltBatch batch([](auto& builder) {
    builder.begin_directory("/locked", 1);
    builder.end_directory(unopened_record(EACCES));
    builder.begin_directory("/fine", 2);
    builder.append(sample_file("x"));
    builder.end_directory(complete_record(1, 13));
    builder.begin_directory("", 3);
    builder.end_directory(unopened_record(EIO));
  });
  const auto lines = lines_of(batch, "path");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], R"({"path":"/fine/x"})");
  EXPECT_EQ(json::parse(lines[1]),
            (json{{"record", "directory"}, {"path", "/locked"}, {"error", EACCES}, {"operation", "open"},
                  {"message", "Permission denied"}, {"entries", 0}}));
  EXPECT_EQ(json::parse(lines[2])["path"], "/");
}

}  // namespace
}  // namespace pwalk::tools
