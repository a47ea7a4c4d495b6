#include "schema/random_rows.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "entry_fields.h"

namespace pwalk::schema::testing {

std::uint64_t test_seed() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("PWALK_TEST_SEED");
    const std::uint64_t value = given ? std::strtoull(given, nullptr, 0) : std::random_device{}();
    std::printf("PWALK_TEST_SEED=%llu\n", static_cast<unsigned long long>(value));
    return value;
  }();
  return seed;
}

Entry entry_of(const Row& row) {
  Entry entry = row.entry;
  entry.name = row.name;
  entry.target = row.target;
  entry.pool = row.pool;
  return entry;
}

std::string random_name(Random& random) {
  const std::size_t length = one_in(random, 20) ? 255 : 1 + below(random, 20);
  const bool vicious = one_in(random, 3);
  std::string name(length, 'a');
  for (char& c : name) {
    do c = vicious ? char(random()) : char('a' + below(random, 26));
    while (c == '/' || c == '\0');
  }
  return name;
}

namespace {

constexpr std::string_view kLetters = "fdlbcps?";

template <class T>
T plausible_value(Random& random, Values values) {
  if (values == Values::wild) return T(random());
  return values == Values::alike ? T(7) : T(below(random, 5));
}

}  // namespace

Entry random_entry(Random& random, Values values, bool with_nulls) {
  Entry entry;
  entry.known = ColumnSet::all();
  for_each_field([&](auto column, auto member) {
    entry.*member = plausible_value<FieldType<column>>(random, values);
    if (with_nulls && one_in(random, 6)) entry.known.erase(kColumns[column].id);
  });
  entry.type = values == Values::alike ? 'f' : kLetters[below(random, kLetters.size())];
  entry.operation = Operation(values == Values::alike ? 0 : below(random, kOperationNames.size()));
  return entry;
}

std::vector<Listing> random_tree(Random& random, std::size_t rows, Values values, bool with_nulls) {
  std::vector<Listing> tree;
  std::vector<std::string> open{""};  // the path from `/` to where the walk is
  while (rows > 0) {
    while (open.size() > 1 && one_in(random, 2)) open.pop_back();
    for (auto steps = below(random, one_in(random, 10) ? 60 : 4); steps > 0; --steps)
      open.push_back(open.back() + "/" + random_name(random));
    Listing listing;
    listing.path = open.back();
    listing.inode = one_in(random, 4) ? 0 : random();
    listing.has_record = !one_in(random, 4);
    listing.record = {random(), random(), std::uint8_t(below(random, 4)), std::uint32_t(below(random, 130)),
                      Operation(below(random, kOperationNames.size()))};
    for (auto n = std::min<std::size_t>(rows, below(random, 30)); n > 0; --n, --rows) {
      listing.rows.push_back({listing.path, random_name(random), random_entry(random, values, with_nulls),
                              random_name(random), one_in(random, 2) ? "" : "pool"});
      for (const TextColumnSpec& spec : kTextColumns)
        if (!with_nulls || one_in(random, 2)) listing.rows.back().entry.known.insert(spec.id);
    }
    if (listing.path.empty() && !listing.rows.empty() && one_in(random, 2)) listing.rows.front().name.clear();
    tree.push_back(std::move(listing));
  }
  return tree;
}

AlignedBytes::AlignedBytes(std::span<const std::byte> bytes, std::size_t misplaced_by)
    : memory_(static_cast<std::byte*>(::operator new[](bytes.size() + misplaced_by, std::align_val_t{64}))),
      size_(bytes.size()),
      misplaced_by_(misplaced_by) {
  if (!bytes.empty()) std::memcpy(span().data(), bytes.data(), bytes.size());
}

namespace {

void keep(Built& built, const FinishedBatch& batch) {
  built.batches.emplace_back(batch.bytes);
  built.facts.push_back(batch);
}

}  // namespace

Built build(const std::vector<Listing>& tree, ColumnSet columns, BatchLimits limits) {
  Built built;
  EntryBatchBuilder builder(columns, limits);
  for (const Listing& listing : tree) {
    const auto flush = [&] {
      keep(built, builder.finish());
      builder.begin_directory(listing.path, listing.inode);
    };
    builder.begin_directory(listing.path, listing.inode);
    for (const Row& row : listing.rows)
      while (!builder.append(entry_of(row))) flush();
    while (listing.has_record && !builder.end_directory(listing.record)) flush();
  }
  if (!builder.empty()) keep(built, builder.finish());
  return built;
}

}  // namespace pwalk::schema::testing
