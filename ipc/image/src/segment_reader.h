#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include "image_file.h"
#include "image_layout.h"

namespace pwalk::image {

/// The pages of one kind in a segment; each is checked once, before its first use.
/// Thread-safe.
template <class Page>
class PageTable {
 public:
  /// Requires: the pages lie in the file.
  PageTable(ImageFile& file, std::uint64_t offset, std::uint64_t entries);

  std::uint64_t entries() const { return entries_; }
  std::uint64_t pages() const { return pages_; }
  std::uint64_t offset_of(std::uint64_t page) const { return offset_ + page * layout::kPageBytes; }
  /// How many entries a page has; page() holds its header against this. At least 1.
  std::uint32_t entries_in(std::uint64_t page) const {
    return std::uint32_t(std::min<std::uint64_t>(Page::kCapacity, entries_ - page * Page::kCapacity));
  }
  /// Requires number < pages(). EPROTO: damaged; EIO.
  Result<const Page*> page(std::uint64_t number) const;

 private:
  Result<void> check(std::uint64_t number) const;

  ImageFile* file_;
  std::uint64_t offset_, entries_, pages_;
  // 1 once the page was checked: stored with release under the mutex by whoever
  // checked it, loaded with acquire by page(), so that in copied files the bytes
  // are seen as well.
  std::unique_ptr<std::atomic<std::uint8_t>[]> checked_;
  std::unique_ptr<std::mutex> checking_;
};

/// One index segment. Thread-safe.
class SegmentReader {
 public:
  /// Checks what FORMAT.md lists under "opening" for a segment.
  static Result<SegmentReader> open(ImageFile& file, const layout::SegmentRow& row);

  /// Walks over the directory entries of one hash.
  class Cursor {
   public:
    /// The next one; false if there is none. EPROTO, EIO.
    Result<bool> next(layout::Locator& into);

   private:
    friend class SegmentReader;
    Cursor(const SegmentReader* segment, std::uint64_t hash, std::uint64_t page)
        : segment_(segment), hash_(hash), page_(page) {}
    const SegmentReader* segment_;
    std::uint64_t hash_;
    std::uint64_t page_;
    const layout::DirectoryPage* loaded_ = nullptr;
    std::uint32_t at_ = 0;
  };
  Cursor find(std::uint64_t hash) const;

  /// Walks over the name entries of one hash among those of a names entry.
  class NameCursor {
   public:
    Result<bool> next(layout::NameLocator& into);

   private:
    friend class SegmentReader;
    const SegmentReader* segment_ = nullptr;
    std::uint32_t hash_ = 0;
    std::uint64_t at_ = 0, end_ = 0;
  };
  /// EPROTO if `names` points beyond the name pages.
  Result<NameCursor> find_name(const layout::Locator& names, std::uint32_t hash) const;

  std::uint32_t first_batch() const { return row_.first_batch; }
  std::span<const layout::BatchRow> batches() const { return batches_; }

 private:
  SegmentReader(ImageFile& file, const layout::SegmentRow& row)
      : file_(&file), row_(row),
        names_(file, row.names_offset, row.name_entries),
        directories_(file, row.directories_offset, row.directory_entries) {}
  Result<void> load_fences();
  Result<void> load_batch_table();
  /// About the last hash of a directory page: where the next one begins.
  std::uint64_t last_hash_near(std::uint64_t page) const {
    return page + 1 < fences_.size() ? fences_[page + 1] : ~std::uint64_t{0};
  }
  Result<std::uint32_t> name_hash_at(std::uint64_t entry) const;

  ImageFile* file_;
  layout::SegmentRow row_;
  PageTable<layout::NamePage> names_;
  PageTable<layout::DirectoryPage> directories_;
  std::span<const std::uint64_t> fences_;
  std::span<const layout::BatchRow> batches_;
};

}  // namespace pwalk::image
