#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "image_layout.h"
#include "pwalk/image/large_directory.h"
#include "pwalk/schema/entry_batch_view.h"
#include "segment_writer.h"

namespace pwalk::image {

/// The index entries of the batches that have not been committed yet: 48 bytes per
/// directory, 4 per row whose name may have to be found by hash.
class PendingIndex {
 public:
  explicit PendingIndex(std::uint64_t seed) : seed_(seed) {}

  void add(std::uint32_t batch_number, const schema::EntryBatchView& batch);
  bool empty() const { return runs_.empty(); }

  /// Writes a segment of what was added, and forgets it.
  Result<layout::SegmentRow> write(AppendFile& file);

 private:
  struct Run {
    std::uint64_t hash = 0;
    std::uint64_t listed = 0;      // rows of the directory in the whole scan, if its record is here
    std::size_t names = kNoNames;  // where its name hashes begin
    std::uint32_t batch = 0;
    std::uint16_t first = 0, rows = 0, record = 0;
    bool named = false;
    static constexpr std::size_t kNoNames = ~std::size_t{0};
  };
  struct Name {
    std::uint32_t hash;
    layout::NameLocator locator;
  };

  void collect_runs(std::uint32_t batch_number, const schema::EntryBatchView& batch);
  void attach_records(const schema::EntryBatchView& batch);
  void hash_names(const schema::EntryBatchView& batch);
  std::uint64_t name_large_directories();
  Result<void> write_directory(SegmentWriter& segment, std::span<const Run> runs);

  std::uint64_t seed_;
  std::vector<Run> runs_;
  std::vector<std::uint32_t> name_hashes_;
  // of the batch being added, by directory number
  std::vector<Run> by_directory_;
  std::vector<Name> sorted_names_;
  std::string path_;
};

}  // namespace pwalk::image
