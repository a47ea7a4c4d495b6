#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "pwalk/schema/entry_batch_builder.h"
#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::schema::testing {

using Random = std::mt19937_64;

/// PWALK_TEST_SEED, or a new seed; printed, so that a failure can be replayed.
std::uint64_t test_seed();

inline std::uint64_t below(Random& random, std::uint64_t limit) {
  return random() % limit;
}
inline bool one_in(Random& random, std::uint64_t n) {
  return below(random, n) == 0;
}

/// A row that owns its name.
struct Row {
  std::string directory;
  std::string name;
  Entry entry;  ///< its texts are empty; entry_of() fills them in
  std::string target, pool;

  std::string path() const { return directory + "/" + name; }
};
Entry entry_of(const Row& row);

struct Listing {
  std::string path;
  std::uint64_t inode = 0;
  std::vector<Row> rows;
  bool has_record = true;  ///< else it was suspended
  DirectoryRecord record;
};

/// Bytes a file may be named with, from friendly to vicious; 1 to 255 of them.
std::string random_name(Random& random);

/// How far the values of a tree's rows differ.
enum class Values { alike, plausible, wild };
/// Without texts.
Entry random_entry(Random& random, Values values, bool with_nulls);

/// A random tree, listed depth first, directories left and entered again now and then.
std::vector<Listing> random_tree(Random& random, std::size_t rows, Values values, bool with_nulls);

/// 64-byte-aligned copy that can be changed. Ends where the bytes end, so that
/// AddressSanitizer sees a read beyond them.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::span<const std::byte> bytes, std::size_t misplaced_by = 0);
  AlignedBytes(const AlignedBytes& other) : AlignedBytes(other.span(), other.misplaced_by_) {}
  AlignedBytes(AlignedBytes&&) = default;
  AlignedBytes& operator=(AlignedBytes&&) = default;
  std::span<std::byte> span() { return {memory_.get() + misplaced_by_, size_}; }
  std::span<const std::byte> span() const { return {memory_.get() + misplaced_by_, size_}; }

 private:
  struct Delete {
    void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte[], Delete> memory_;
  std::size_t size_, misplaced_by_;
};

/// Runs listings through a builder, flushing as its protocol says. Batches are
/// copied to aligned memory.
struct Built {
  std::vector<AlignedBytes> batches;
  std::vector<FinishedBatch> facts;  ///< `bytes` no longer valid
};
Built build(const std::vector<Listing>& tree, ColumnSet columns, BatchLimits limits);

}  // namespace pwalk::schema::testing
