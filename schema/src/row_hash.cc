#include "pwalk/schema/row_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <string>
#include <vector>

#include "row_hasher.h"

namespace pwalk::schema {
namespace {

/// SplitMix64's finaliser (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
constexpr std::uint64_t avalanche(std::uint64_t h) {
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9;
  h = (h ^ (h >> 27)) * 0x94d049bb133111eb;
  return h ^ (h >> 31);
}

constexpr std::uint64_t kGoldenGamma = 0x9e3779b97f4a7c15;

/// K_c: output c + 1 of SplitMix64 seeded with 0, made odd so that no value is lost in the product.
constexpr auto kFactors = [] {
  std::array<std::uint64_t, kFirstText + kTextColumnCount> factors{};
  for (std::size_t c = 0; c < factors.size(); ++c) factors[c] = avalanche((c + 1) * kGoldenGamma) | 1;
  return factors;
}();

constexpr std::uint64_t presence_term(std::size_t column) {
  return (column + 1) * kFactors[column];
}
constexpr std::uint64_t null_term(std::size_t column) {
  return std::rotl(kFactors[column], 32);
}

/// Rows hashed together: their sums stay in the first-level cache while the columns pass by.
constexpr std::uint32_t kBlock = 256;

struct Block {
  std::uint32_t first, count;  ///< rows
  std::array<std::uint64_t, kBlock> sums;
};

/// What all rows have in common: which columns there are, and the values of constant ones.
std::uint64_t common_terms(std::span<const ColumnView> columns, std::uint32_t rows) {
  std::uint64_t sum = 0;
  for (std::size_t c = 0; c < columns.size() && rows > 0; ++c) {
    if (!columns[c]) continue;
    sum += presence_term(c);
    if (columns[c].constant) sum += columns[c].at<std::uint64_t>(0) * kFactors[c];
  }
  return sum;
}

void start_with_paths(Block& block, const BatchContent& content,
                      std::span<const std::uint64_t> directory_hashes, std::uint64_t common) {
  const char* names = content.name_bytes.data();
  for (std::uint32_t i = 0; i < block.count; ++i) {
    const std::uint32_t row = block.first + i;
    const auto from = std::size_t(content.name_offsets[row]), to = std::size_t(content.name_offsets[row + 1]);
    const std::uint64_t seed = directory_hashes[std::size_t(content.directory[row])];
    block.sums[i] = common + XXH3_64bits_withSeed(names + from, to - from, seed);
  }
}

template <class T>
void add_values(Block& block, const ColumnView& column, std::uint64_t factor) {
  const std::byte* values = column.values + block.first * sizeof(T);
  for (std::uint32_t i = 0; i < block.count; ++i) {
    T value;
    std::memcpy(&value, values + i * sizeof(T), sizeof(T));
    block.sums[i] += std::uint64_t(value) * factor;
  }
}

void add_values(Block& block, const ColumnView& column, std::uint64_t factor) {
  switch (column.width) {
    case 1:
      return add_values<std::uint8_t>(block, column, factor);
    case 4:
      return add_values<std::uint32_t>(block, column, factor);
    default:
      return add_values<std::uint64_t>(block, column, factor);
  }
}

/// A null row has value 0, so far counted as present: swap the terms.
void mark_nulls(Block& block, const ColumnView& column, std::uint64_t difference) {
  for (std::uint32_t i = 0; i < block.count; ++i)
    if (!column.is_valid(block.first + i)) block.sums[i] += difference;
}

void add_texts(Block& block, const TextView& text, std::size_t column) {
  for (std::uint32_t i = 0; i < block.count; ++i) {
    const std::uint32_t row = block.first + i;
    const std::string_view value = text.at(row);
    block.sums[i] += text.is_valid(row)
                         ? XXH3_64bits(value.data(), value.size()) * kFactors[column] + presence_term(column)
                         : null_term(column);
  }
}

std::uint64_t finish(const Block& block) {
  std::uint64_t total = 0;
  for (std::uint32_t i = 0; i < block.count; ++i) total += avalanche(block.sums[i]);
  return total;
}

}  // namespace

std::uint64_t hash_directory_path(std::string_view path) {
  return XXH3_64bits(path.data(), path.size());
}

std::uint64_t hash_content(const BatchContent& content, std::span<const std::uint64_t> directory_hashes) {
  const std::uint64_t common = common_terms(content.columns, content.rows);
  std::uint64_t total = 0;
  Block block;
  for (block.first = 0; block.first < content.rows; block.first += kBlock) {
    block.count = std::min(kBlock, content.rows - block.first);
    start_with_paths(block, content, directory_hashes, common);
    for (std::size_t c = 0; c < content.columns.size(); ++c) {
      const ColumnView& column = content.columns[c];
      if (column && !column.constant) add_values(block, column, kFactors[c]);
      if (column.null_count > 0) mark_nulls(block, column, null_term(c) - presence_term(c));
    }
    for (std::size_t i = 0; i < content.texts.size(); ++i)
      if (content.texts[i]) add_texts(block, content.texts[i], kFirstText + i);
    total += finish(block);
  }
  return total;
}

std::uint64_t hash_rows(const EntryBatchView& batch) {
  std::vector<std::uint64_t> directory_hashes(batch.directory_count());
  std::string path;
  for (std::uint32_t d = 0; d < batch.directory_count(); ++d) {
    path.clear();
    batch.append_directory_path(d, path);
    directory_hashes[d] = hash_directory_path(path);
  }
  return hash_content(batch.content(), directory_hashes);
}

}  // namespace pwalk::schema
