#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "image_file.h"
#include "image_layout.h"
#include "pwalk/image/results_filesystem.h"
#include "segment_reader.h"

namespace pwalk {

/// One commit of one image, open: what ResultsFilesystem's handles share. Paths
/// here are directories as batches name them, "" for `/`. Thread-safe.
class ResultsFilesystem::Snapshot {
 public:
  static Result<std::shared_ptr<const Snapshot>> load(std::shared_ptr<image::ImageFile> file);
  ~Snapshot();

  const image::ImageFile& file() const { return *file_; }
  const image::ScanFacts& facts() const { return facts_; }
  const image::ImageTotals& totals() const { return totals_; }
  const std::vector<image::LanePosition>& lanes() const { return lanes_; }
  image::ImageState state() const { return state_; }
  std::int64_t finished_ns() const { return finished_ns_; }

  /// An entry that is_visible() (or `/` itself), or none.
  Result<EntryRef> find(std::string_view directory, std::string_view name) const;
  /// Everything known of a directory; an empty Listing without a record if nothing is.
  Result<void> collect(std::string_view directory, Listing& into) const;
  /// As image::resolve_path(); but a root that was given with ".." behind a name (`x/../y`) is
  /// what rows call it, since x may be a link, and so is what lies below it.
  Result<std::string_view> resolve(std::string_view path, std::string& storage, bool& directory_wanted) const;
  /// The row of this name in this directory, as rows call it, is that of such a root.
  bool is_dotted_root(std::string_view directory, std::string_view name) const;
  /// A resolved path is a root or lies below one.
  bool covers(std::string_view path) const;

  Result<ImageBatch> batch(std::uint64_t number) const;
  /// Not cached; `bytes` is null if it lies in the mapping.
  Result<HeldImageBatch> hold(std::uint64_t number) const;
  ImageBatch placed(std::uint64_t number) const;

 private:
  explicit Snapshot(std::shared_ptr<image::ImageFile> file) : file_(std::move(file)) {}

  Result<void> load_header();
  Result<void> load_facts();
  Result<void> load_newest_commit();
  Result<void> load_commit(const image::layout::Slot& slot);
  Result<void> read_record(const image::layout::CommitRecord& record, std::span<const std::byte> rest);
  Result<void> open_segments(const std::vector<image::layout::SegmentRow>& rows, std::uint64_t expected);

  const image::SegmentReader& segment_of(std::uint32_t batch) const;
  Result<const schema::EntryBatchView*> view(std::uint32_t number) const;
  Result<const schema::EntryBatchView*> check_batch(std::uint32_t number) const;
  const image::layout::BatchRow& row_of(std::uint32_t number) const;
  Result<schema::EntryBatchView> checked(std::uint32_t number, std::span<const std::byte> bytes) const;
  Result<bool> run_of(const image::layout::Locator& locator, std::string_view directory, RowRun& into) const;
  Result<EntryRef> find_named(const image::SegmentReader& segment, const image::layout::Locator& names,
                              std::string_view directory, std::string_view name) const;
  Result<EntryRef> find_in_segment(const image::SegmentReader& segment, std::uint64_t hash,
                                   std::string_view directory, std::string_view name) const;
  Result<void> collect_from(const image::SegmentReader& segment, std::string_view directory,
                            class ListingBuilder& listing) const;

  std::shared_ptr<image::ImageFile> file_;
  image::layout::Header header_{};
  image::ScanFacts facts_;
  image::ImageTotals totals_;
  image::ImageState state_ = image::ImageState::growing;
  std::int64_t finished_ns_ = 0;
  std::vector<image::LanePosition> lanes_;
  std::vector<image::SegmentReader> segments_;
  bool roots_overlap_ = false;
  std::vector<std::string> dotted_roots_;  // those with ".." in them
  // By batch: its checked view, made by whoever needs it first. Stored with release
  // under a mutex by check_batch(), loaded with acquire by view(). About 1 % of what
  // the batches themselves take.
  std::unique_ptr<std::atomic<const schema::EntryBatchView*>[]> views_;
  mutable std::array<std::mutex, 16> checking_;
};

}  // namespace pwalk
