#include "pwalk/schema/row_hash.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>

#include "entry_fields.h"
#include "schema/random_rows.h"
#include "schema/raw_batch.h"

namespace pwalk::schema {
namespace {

using testing::AlignedBytes;
using testing::Built;
using testing::Listing;
using testing::Random;
using testing::RawBatch;
using testing::Row;
using testing::Values;

/// SplitMix64 as its authors state it: a counter and a finaliser.
std::uint64_t split_mix(std::uint64_t& state) {
  std::uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::uint64_t finalised(std::uint64_t value) {
  std::uint64_t state = value - 0x9e3779b97f4a7c15;
  return split_mix(state);
}

/// One row's hash, straight from the formula in row_hash.h.
std::uint64_t hash_by_formula(const Row& row, ColumnSet columns) {
  std::uint64_t sum = XXH3_64bits_withSeed(row.name.data(), row.name.size(),
                                           XXH3_64bits(row.directory.data(), row.directory.size()));
  std::uint64_t state = 0;
  for_each_field([&](auto column, auto member) {
    const std::uint64_t factor = split_mix(state) | 1;
    const Column id = kColumns[column].id;
    if (!columns.has(id)) return;
    std::uint64_t value = 0;
    std::memcpy(&value, &(row.entry.*member), sizeof(FieldType<column>));
    sum += row.entry.known.has(id) ? (value + column + 1) * factor : std::rotl(factor, 32);
  });
  while (state != std::uint64_t(kFirstText) * 0x9e3779b97f4a7c15) split_mix(state);
  const std::string* const texts[] = {&row.target, &row.pool};
  for (std::size_t i = 0; i < kTextColumnCount; ++i) {
    const std::uint64_t factor = split_mix(state) | 1;
    const Column id = kTextColumns[i].id;
    if (!columns.has(id)) continue;
    const std::uint64_t value = XXH3_64bits(texts[i]->data(), texts[i]->size());
    sum += row.entry.known.has(id) ? (value + kFirstText + i + 1) * factor : std::rotl(factor, 32);
  }
  return finalised(sum);
}

std::uint64_t hash_by_formula(const std::vector<Listing>& tree, ColumnSet columns) {
  std::uint64_t sum = 0;
  for (const Listing& listing : tree)
    for (const Row& row : listing.rows) sum += hash_by_formula(row, columns);
  return sum;
}

std::uint64_t hash_of(const Built& built) {
  std::uint64_t sum = 0;
  for (const AlignedBytes& batch : built.batches) sum += hash_rows(*EntryBatchView::check(batch.span()));
  return sum;
}

std::uint64_t hash_of(const RawBatch& batch) {
  const AlignedBytes bytes = batch.write();
  const auto view = EntryBatchView::check(bytes.span());
  EXPECT_TRUE(view) << view.error().message();
  return view ? hash_rows(*view) : 0;
}

TEST(RowHash, IsTheFormula) {
  Random random(testing::test_seed());
  for (const Values values : {Values::alike, Values::plausible, Values::wild}) {
    for (const bool with_nulls : {false, true}) {
      const auto tree = testing::random_tree(random, 700, values, with_nulls);
      for (const ColumnSet columns : {ColumnSet::all(), ColumnSet::all() | ColumnSet::texts(), ColumnSet{Column::type, Column::target},
                                       ColumnSet{Column::type, Column::btime}, ColumnSet{}})
        EXPECT_EQ(hash_of(testing::build(tree, columns, {})), hash_by_formula(tree, columns));
    }
  }
}

TEST(RowHash, DoesNotDependOnOrderOrBatching) {
  Random random(testing::test_seed());
  auto tree = testing::random_tree(random, 2000, Values::plausible, true);
  const std::uint64_t hash = hash_of(testing::build(tree, ColumnSet::all(), {}));
  for (const BatchLimits limits :
       {BatchLimits{.rows = 1}, BatchLimits{.rows = 13}, BatchLimits{.bytes = 8192}}) {
    std::shuffle(tree.begin(), tree.end(), random);
    for (Listing& listing : tree) std::shuffle(listing.rows.begin(), listing.rows.end(), random);
    EXPECT_EQ(hash_of(testing::build(tree, ColumnSet::all(), limits)), hash);
  }
}

TEST(RowHash, DoesNotDependOnHowAColumnIsStored) {
  RawBatch batch = testing::sound_batch();
  const std::uint64_t constant = hash_of(batch);
  RawBatch::Column& uid = batch.column(Column::uid);
  uid.constant = false;
  const std::vector<std::uint8_t> one = uid.values;
  for (int i = 0; i < 3; ++i) uid.values.insert(uid.values.end(), one.begin(), one.end());
  EXPECT_EQ(hash_of(batch), constant);
}

TEST(RowHash, NoticesLossDoublingAndExchange) {
  Random random(testing::test_seed());
  auto tree = testing::random_tree(random, 300, Values::wild, false);
  const auto has_two = [](const Listing& listing) { return listing.rows.size() > 1; };
  Listing& listing = *std::find_if(tree.begin(), tree.end(), has_two);
  const std::uint64_t hash = hash_of(testing::build(tree, ColumnSet::all(), {}));
  const std::vector<Row> rows = listing.rows;

  listing.rows.pop_back();
  EXPECT_NE(hash_of(testing::build(tree, ColumnSet::all(), {})), hash);
  listing.rows = rows;
  listing.rows.push_back(rows.front());
  EXPECT_NE(hash_of(testing::build(tree, ColumnSet::all(), {})), hash);
  listing.rows = rows;
  std::swap(listing.rows[0].entry.size, listing.rows[1].entry.size);
  EXPECT_NE(hash_of(testing::build(tree, ColumnSet::all(), {})), hash);
}

TEST(RowHash, NoticesEveryColumnsEveryBit) {
  Random random(testing::test_seed());
  Row row{"/some/directory", "name", testing::random_entry(random, Values::wild, false), {}, {}};
  row.entry.type = 'f';
  const auto hash = [](const Row& changed) {
    return hash_of(testing::build({{changed.directory, 0, {changed}, false, {}}}, ColumnSet::all(), {}));
  };
  const std::uint64_t original = hash(row);
  for_each_field([&](auto column, auto member) {
    if (kColumns[column].id == Column::type || kColumns[column].id == Column::operation) return;
    for (std::size_t bit = 0; bit < sizeof(FieldType<column>) * 8; ++bit) {
      Row changed = row;
      std::uint64_t value = 0;
      std::memcpy(&value, &(row.entry.*member), sizeof(FieldType<column>));
      value ^= std::uint64_t{1} << bit;
      std::memcpy(&(changed.entry.*member), &value, sizeof(FieldType<column>));
      EXPECT_NE(hash(changed), original) << kColumns[column].name << " bit " << bit;
    }
  });
  for (const char type : {'d', 'l', 'p', 's', 'b', 'c', '?'}) {
    Row changed = row;
    changed.entry.type = type;
    EXPECT_NE(hash(changed), original);
  }
  for (std::size_t number = 0; number < kOperationNames.size(); ++number) {
    Row changed = row;
    changed.entry.operation = Operation(number);
    EXPECT_EQ(hash(changed) == original, changed.entry.operation == row.entry.operation);
  }
}

TEST(RowHash, TellsNullFromZeroAndFromAbsent) {
  for (const ColumnSpec& spec : kColumns) {
    if (spec.id == Column::type) continue;  // has no zero
    Row row{"/d", "n", {}, {}, {}};
    row.entry.known = ColumnSet::all();
    const auto hash = [&](ColumnSet columns) {
      return hash_of(testing::build({{row.directory, 0, {row}, false, {}}}, columns, {}));
    };
    const std::uint64_t zero = hash(ColumnSet::all());
    const std::uint64_t absent = hash(ColumnSet::all() - ColumnSet{spec.id});
    row.entry.known.erase(spec.id);
    const std::uint64_t null = hash(ColumnSet::all());
    EXPECT_NE(zero, null) << spec.name;
    EXPECT_NE(zero, absent) << spec.name;
    EXPECT_NE(null, absent) << spec.name;
  }
}

TEST(RowHash, NoticesTexts) {
  const auto hash = [](std::string target, bool known) {
    Row row{"/d", "n", {}, std::move(target), {}};
    row.entry.known = ColumnSet::all();
    if (known) row.entry.known.insert(Column::target);
    return hash_of(testing::build({{"/d", 0, {row}, false, {}}}, ColumnSet::all() | ColumnSet{Column::target}, {}));
  };
  EXPECT_NE(hash("a", true), hash("b", true));
  EXPECT_NE(hash("", true), hash("", false));
  EXPECT_NE(hash("a", true), hash("", true));
}

TEST(RowHash, NoticesTheDirectoryAndTheName) {
  const auto hash = [](std::string directory, std::string name) {
    Row row{directory, name, {}, {}, {}};
    row.entry.known = ColumnSet::all();
    return hash_of(testing::build({{directory, 0, {row}, false, {}}}, ColumnSet::all(), {}));
  };
  EXPECT_NE(hash("/a", "b"), hash("/a", "c"));
  EXPECT_NE(hash("/a", "b"), hash("/c", "b"));
  EXPECT_NE(hash("/a/b", "c"), hash("/a", "b"));
  EXPECT_NE(hash("", "a"), hash("/a", "a"));
}

}  // namespace
}  // namespace pwalk::schema
