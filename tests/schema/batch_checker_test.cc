#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>

#include "pwalk/schema/entry_batch_builder.h"
#include "pwalk/schema/entry_batch_view.h"
#include "schema/batch_check_fuzz.h"
#include "schema/random_rows.h"
#include "schema/raw_batch.h"

namespace pwalk::schema {
namespace {

using testing::AlignedBytes;
using testing::Built;
using ::testing::HasSubstr;
using testing::Random;
using testing::RawBatch;
using testing::Values;

TEST(BatchChecker, AcceptsTheSoundBatch) {
  const AlignedBytes bytes = testing::sound_batch().write();
  const auto view = EntryBatchView::check(bytes.span());
  ASSERT_TRUE(view) << view.error().message();
  EXPECT_EQ(view->path(3), "/data/other/dddd");
  EXPECT_EQ(view->path(2), "/data/one/two/ccc");
  EXPECT_EQ(view->file_bytes(), 12U);
  EXPECT_FALSE(view->column(Column::size).is_valid(2));
  EXPECT_EQ(view->column(Column::uid).at<unsigned>(3), 1000U);
  EXPECT_FALSE(view->column(Column::mtime));
}

struct Wrong {
  std::string name;
  std::function<void(RawBatch&)> spoil;
  std::string complaint;
};
void PrintTo(const Wrong& wrong, std::ostream* out) {
  *out << wrong.name;
}

class BatchCheckerRejects : public ::testing::TestWithParam<Wrong> {};

TEST_P(BatchCheckerRejects, WithItsOwnMessage) {
  RawBatch batch = testing::sound_batch();
  GetParam().spoil(batch);
  const AlignedBytes bytes = batch.write();
  const auto view = EntryBatchView::check(bytes.span());
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().code, EPROTO);
  EXPECT_THAT(view.error().what, HasSubstr("batch: "));
  EXPECT_THAT(view.error().what, HasSubstr(GetParam().complaint));
  EXPECT_THAT(view.error().what, HasSubstr(" at offset "));
}

const std::vector<Wrong> kWrong{
    {"identifier", [](RawBatch& b) { b.identifier = "PWB2"; }, "identifier is not 'PWB1'"},
    {"required_table", [](RawBatch& b) { b.without_records = true; }, "verifier rejects the structure"},
    {"too_many_tables", [](RawBatch& b) { b.columns.resize(70, b.columns.back()); },
     "verifier rejects the structure"},
    {"version", [](RawBatch& b) { b.version = 1; }, "version 1, and only 2 can be read"},
    {"too_many_rows", [](RawBatch& b) { b.rows = 32768; }, "32768 rows, more than 32767"},

    {"unknown_column", [](RawBatch& b) { b.columns[0].id = 23; }, "unknown column 23"},
    {"text_in_columns", [](RawBatch& b) { b.columns[0].id = 48; }, "unknown column 48"},
    {"unknown_text", [](RawBatch& b) { b.texts[0].id = 50; }, "unknown text column 50"},
    {"second_text", [](RawBatch& b) { b.texts.push_back(b.texts[0]); }, "second column 'target'"},
    {"text_offsets_short", [](RawBatch& b) { b.texts[0].offsets.pop_back(); }, "'target offsets' has 4 elements, not 5,"},
    {"text_offsets_descend", [](RawBatch& b) { b.texts[0].offsets = {0, 3, 0, 3, 3}; }, "'target offsets' descends"},
    {"text_beyond", [](RawBatch& b) { b.texts[0].offsets.back() = 4; }, "'target offsets' ends with 4, not 3,"},
    {"text_with_nul", [](RawBatch& b) { b.texts[0].bytes[1] = 0; }, "'target' holds NUL"},
    {"text_null_with_value", [](RawBatch& b) { b.texts[0].valid = {{0b0101}}; }, "'target' has a value in row 1, which is null,"},
    {"text_nulls_without_bitmap", [](RawBatch& b) { b.texts[0].valid.reset(); }, "nulls without a bitmap"},
    {"text_misaligned", [](RawBatch& b) { b.misaligned = "text 48"; }, "'target' is not 64-byte aligned,"},
    {"second_column", [](RawBatch& b) { b.columns[1] = b.columns[0]; }, "second column 'type'"},
    {"values_short", [](RawBatch& b) { b.columns[1].values.pop_back(); }, "'size' has 31 elements, not 32"},
    {"values_long", [](RawBatch& b) { b.columns[1].values.push_back(0); }, "'size' has 33 elements, not 32"},
    {"constant_in_full", [](RawBatch& b) { b.columns[0].constant = true; }, "'type' has 4 elements, not 1"},
    {"one_value_not_constant", [](RawBatch& b) { b.columns[2].constant = false; },
     "'uid' has 4 elements, not 16"},
    {"constant_without_rows",
     [](RawBatch& b) {
       b.rows = 0;
       b.columns = {b.columns[2]};
     },
     "'uid' is constant without rows"},
    {"more_nulls_than_rows", [](RawBatch& b) { b.columns[1].null_count = 5; },
     "'size' has more nulls than rows"},
    {"nulls_without_bitmap", [](RawBatch& b) { b.columns[1].valid.reset(); },
     "'size' has nulls without a bitmap"},
    {"bitmap_without_nulls", [](RawBatch& b) { b.columns[1].null_count = 0; }, "or a bitmap without nulls"},
    {"bitmap_long",
     [](RawBatch& b) {
       b.columns[1].valid = {{0b1011, 0}};
     },
     "'size bitmap' has 2 elements, not 1"},
    {"bitmap_counts", [](RawBatch& b) { b.columns[1].valid = {{0b0011}}; },
     "'size' bitmap has 2 bits for 3 values"},
    {"bitmap_beyond", [](RawBatch& b) { b.columns[1].valid = {{0b10011}}; },
     "'size' bitmap has bits beyond the last row"},
    {"null_with_value", [](RawBatch& b) { b.columns[1].values[16] = 9; },
     "'size' has a value in row 2, which is null"},
    {"constant_null_with_value",
     [](RawBatch& b) {
       b.columns[2].null_count = 1;
       b.columns[2].valid = {{0b0111}};
     },
     "'uid' has a value in row 3, which is null"},

    {"type_letter", [](RawBatch& b) { b.columns[0].values[2] = 'x'; }, "unknown type letter 120"},
    {"type_zero", [](RawBatch& b) { b.columns[0].values[2] = 0; }, "unknown type letter 0"},
    {"type_zero_beside_null",
     [](RawBatch& b) {
       b.columns[0].values[2] = b.columns[0].values[3] = 0;
       b.columns[0].null_count = 1;
       b.columns[0].valid = {{0b1011}};
     },
     "unknown type letter 0"},
    {"type_constant_zero_partly_null",
     [](RawBatch& b) {
       b.columns[0] = {0, true, {0}, 1, {{0b0111}}};
     },
     "unknown type letter 0"},
    {"operation", [](RawBatch& b) { b.column(Column::operation).values[0] = 7; }, "unknown operation 7"},

    {"name_offsets_short", [](RawBatch& b) { b.name_offsets.pop_back(); },
     "'name_offsets' has 4 elements, not 5"},
    {"name_offsets_start", [](RawBatch& b) { b.name_offsets[0] = 1; },
     "'name_offsets' does not start with 0"},
    {"name_offsets_negative", [](RawBatch& b) { b.name_offsets[1] = -1; }, "'name_offsets' descends"},
    {"name_offsets_descend", [](RawBatch& b) { b.name_offsets[2] = 7; }, "'name_offsets' descends"},
    {"name_offsets_end", [](RawBatch& b) { b.name_offsets[4] = 9; }, "'name_offsets' ends with 9, not 10"},
    {"name_slash", [](RawBatch& b) { b.name_bytes[4] = '/'; }, "'name_bytes' holds '/'"},
    {"name_nul", [](RawBatch& b) { b.name_bytes[4] = '\0'; }, "'name_bytes' holds NUL"},
    {"name_empty", [](RawBatch& b) { b.name_offsets[2] = 1; }, "row 1 has no name"},

    {"directories_lengths", [](RawBatch& b) { b.directories.prefix.pop_back(); },
     "'directories.prefix' has 2 elements, not 3"},
    {"directories_shared_length", [](RawBatch& b) { b.directories.shared.push_back(0); },
     "'directories.shared' has 4 elements, not 3"},
    {"directories_offsets_length", [](RawBatch& b) { b.directories.suffix_offsets.pop_back(); },
     "'directories.suffix_offsets' has 3 elements, not 4"},
    {"too_many_directories", [](RawBatch& b) { b.directories.inode.resize(32768); },
     "32768 directories, more than 32767"},
    {"suffix_offsets_start", [](RawBatch& b) { b.directories.suffix_offsets[0] = 1; },
     "'directories.suffix_offsets' does not start with 0"},
    {"suffix_offsets_descend", [](RawBatch& b) { b.directories.suffix_offsets[1] = 14; },
     "'directories.suffix_offsets' descends"},
    {"suffix_offsets_end", [](RawBatch& b) { b.directories.suffix_offsets[3] = 18; },
     "'directories.suffix_offsets' ends with 18, not 17"},
    {"suffix_nul", [](RawBatch& b) { b.directories.suffix_bytes[11] = '\0'; },
     "'directories.suffix_bytes' holds NUL"},
    {"prefix_itself", [](RawBatch& b) { b.directories.prefix[1] = 1; }, "directory 1 has prefix 1"},
    {"prefix_later", [](RawBatch& b) { b.directories.prefix[1] = 2; }, "directory 1 has prefix 2"},
    {"prefix_negative", [](RawBatch& b) { b.directories.prefix[1] = -2; }, "directory 1 has prefix -2"},
    {"prefix_missing", [](RawBatch& b) { b.directories.prefix[1] = -1; }, "directory 1 has prefix -1"},
    {"prefix_unused", [](RawBatch& b) { b.directories.shared[1] = 0; },
     "directory 1 does not name the owner"},
    {"shares_too_much", [](RawBatch& b) { b.directories.shared[1] = 10; },
     "directory 1 shares more than its prefix has"},
    {"shares_far_too_much", [](RawBatch& b) { b.directories.shared[1] = 0xffffffff; },
     "directory 1 shares more than its prefix has"},
    {"prefix_not_owner", [](RawBatch& b) { b.directories.prefix[2] = 1; },
     "directory 2 does not name the owner of its last shared byte"},
    {"path_relative", [](RawBatch& b) { b.directories.suffix_bytes[0] = 'x'; },
     "directory 0 is not absolute"},
    {"path_ends_with_slash", [](RawBatch& b) { b.directories.suffix_bytes[12] = '/'; },
     "directory 1 ends with '/'"},
    {"path_shares_last_slash",
     [](RawBatch& b) {
       b.directories.shared[2] = 6;  // "/data/"
       b.directories.suffix_offsets = {0, 9, 13, 13};
       b.directories.suffix_bytes.resize(13);
     },
     "directory 2 ends with '/'"},

    {"directory_short", [](RawBatch& b) { b.directory.pop_back(); }, "'directory' has 3 elements, not 4"},
    {"directory_descends", [](RawBatch& b) { b.directory[3] = 0; }, "'directory' descends"},
    {"directory_negative", [](RawBatch& b) { b.directory[0] = -1; },
     "'directory' has a number outside the table of 3"},
    {"directory_beyond", [](RawBatch& b) { b.directory[3] = 3; },
     "'directory' has a number outside the table of 3"},

    {"records_entries", [](RawBatch& b) { b.records.entries.pop_back(); },
     "'records.entries' has 1 elements, not 2"},
    {"records_bytes", [](RawBatch& b) { b.records.bytes.pop_back(); },
     "'records.bytes' has 1 elements, not 2"},
    {"records_flags", [](RawBatch& b) { b.records.flags.push_back(0); },
     "'records.flags' has 3 elements, not 2"},
    {"records_error", [](RawBatch& b) { b.records.error.clear(); }, "'records.error' has 0 elements, not 2"},
    {"records_operation", [](RawBatch& b) { b.records.operation.clear(); },
     "'records.operation' has 0 elements, not 2"},
    {"records_twice", [](RawBatch& b) { b.records.directory[1] = 0; }, "'records.directory' does not ascend"},
    {"records_negative", [](RawBatch& b) { b.records.directory[0] = -1; },
     "'records.directory' does not ascend"},
    {"records_beyond", [](RawBatch& b) { b.records.directory[1] = 3; },
     "'records.directory' has a number outside the table of 3"},
    {"records_operation_number", [](RawBatch& b) { b.records.operation[1] = 7; }, "unknown operation 7"},
};

std::string name_of(const ::testing::TestParamInfo<Wrong>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(Fields, BatchCheckerRejects, ::testing::ValuesIn(kWrong), name_of);

std::vector<Wrong> misalignments() {
  std::vector<Wrong> wrong;
  for (const char* vector :
       {"column 0", "column 3", "column 7", "column 3 bitmap", "name_offsets", "name_bytes", "directory",
        "directories.prefix", "directories.shared", "directories.suffix_offsets", "directories.suffix_bytes",
        "directories.inode", "records.directory", "records.entries", "records.bytes", "records.flags",
        "records.error", "records.operation"}) {
    std::string name(vector);
    for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    wrong.push_back({name, [vector](RawBatch& b) { b.misaligned = vector; }, "is not 64-byte aligned"});
  }
  return wrong;
}
INSTANTIATE_TEST_SUITE_P(Misaligned, BatchCheckerRejects, ::testing::ValuesIn(misalignments()), name_of);

TEST(BatchChecker, AcceptsTheRootsOfPathsAndNames) {
  RawBatch batch = testing::sound_batch();
  batch.directories = {{-1, -1, 1}, {0, 0, 5}, {0, 0, 9, 9}, "/data/one", {0, 0, 0}};  // "", /data/one, /data
  batch.name_offsets = {0, 0, 3, 6, 10};  // the first row is `/` itself
  const AlignedBytes bytes = batch.write();
  const auto view = EntryBatchView::check(bytes.span());
  ASSERT_TRUE(view) << view.error().message();
  EXPECT_EQ(view->path(0), "/");
  EXPECT_EQ(view->path(1), "/abb");
  EXPECT_EQ(view->path(2), "/data/one/ccc");
  EXPECT_EQ(view->path(3), "/data/dddd");
}

TEST(BatchChecker, RefusesAnAddressThatIsNotAligned) {
  const AlignedBytes sound = testing::sound_batch().write();
  for (std::size_t off : {1, 4, 8, 32, 63}) {
    const AlignedBytes moved(sound.span(), off);
    const auto view = EntryBatchView::check(moved.span());
    ASSERT_FALSE(view);
    EXPECT_EQ(view.error().code, EINVAL);
    EXPECT_THAT(view.error().what,
                HasSubstr("lies " + std::to_string(off) + " bytes off a 64-byte boundary"));
  }
}

TEST(BatchChecker, RefusesEveryTruncation) {
  const AlignedBytes whole = testing::sound_batch().write();
  for (std::size_t length = 0; length < whole.span().size(); ++length) {
    const AlignedBytes cut(whole.span().first(length));
    const auto view = EntryBatchView::check(cut.span());
    ASSERT_FALSE(view) << length;
    EXPECT_EQ(view.error().code, EPROTO);
    if (length % 64 != 0) {
      EXPECT_THAT(view.error().what,
                  HasSubstr("length " + std::to_string(length) + " is not a multiple of 64"));
    }
  }
}

/// Batches of a random tree, damaged in random places: refused or readable, never a crash.
TEST(BatchChecker, SurvivesDamage) {
  Random random(testing::test_seed());
  for (int tree = 0; tree < 12; ++tree) {
    const auto values = Values(testing::below(random, 3));
    const Built built =
        testing::build(testing::random_tree(random, 200, values, tree % 2 == 0),
                       ColumnSet::all() | (tree % 3 == 0 ? ColumnSet::texts() : ColumnSet{}), {});
    for (int damage = 0; damage < 2000; ++damage) {
      AlignedBytes bytes = built.batches.front();
      for (auto flips = 1 + testing::below(random, 4); flips > 0; --flips)
        bytes.span()[testing::below(random, bytes.span().size())] ^=
            std::byte(1U << testing::below(random, 8));
      testing::read_if_sound(bytes.span());
    }
  }
}

/// The fuzzer's own function on a bounded sample of what it feeds it.
TEST(BatchChecker, SurvivesTheFuzzersInputs) {
  Random random(testing::test_seed());
  std::size_t sound = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::uint8_t> input(testing::below(random, 40));
    for (std::uint8_t& byte : input) byte = std::uint8_t(random());
    sound += testing::batch_check_fuzz(input);
  }
  EXPECT_GT(sound, 0U);  // else nothing beyond the checker was tried
}

}  // namespace
}  // namespace pwalk::schema
