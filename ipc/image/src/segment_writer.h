#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "append_file.h"
#include "checksum.h"
#include "image_layout.h"

namespace pwalk::image {

/// Fills pages of one kind one after the other and writes them in groups.
template <class Page>
class PageStream {
 public:
  using Hash = std::remove_reference_t<decltype(Page::hashes[0])>;
  using Locator = std::remove_reference_t<decltype(Page::locators[0])>;

  explicit PageStream(AppendFile& file) : file_(&file), group_(kGroup) {}

  /// The pages go to space reserved before, from `offset` on; without it, to the end of
  /// the file, and nobody else may reserve there meanwhile.
  void place_at(std::uint64_t offset) { offset_ = offset, reserved_ = true; }

  Result<void> add(Hash hash, const Locator& locator) {
    Page& page = group_[filling_];
    if (page.header.entries == 0 && first_hashes_wanted_) first_hashes_.push_back(hash);
    page.hashes[page.header.entries] = hash;
    page.locators[page.header.entries] = locator;
    ++entries_;
    if (++page.header.entries < Page::kCapacity || ++filling_ < kGroup) return {};
    return flush();
  }
  Result<void> finish() {
    if (filling_ < kGroup && group_[filling_].header.entries != 0) ++filling_;
    return flush();
  }

  std::uint64_t offset() const { return offset_; }
  std::uint64_t entries() const { return entries_; }
  void want_first_hashes() { first_hashes_wanted_ = true; }
  const std::vector<Hash>& first_hashes() const { return first_hashes_; }

 private:
  static constexpr std::size_t kGroup = 16;

  Result<void> flush() {
    if (filling_ == 0) return {};
    const std::size_t bytes = filling_ * layout::kPageBytes;
    std::uint64_t at = offset_ + written_;
    if (!reserved_) {
      auto space = file_->reserve(bytes, layout::kPageBytes);
      if (!space) return tl::unexpected(space.error());
      at = *space;
      if (written_ == 0) offset_ = at;
    }
    for (std::size_t i = 0; i < filling_; ++i)
      group_[i].header.checksum =
          checksum(bytes_of(group_[i]).subspan(sizeof(std::uint64_t)), at + i * layout::kPageBytes);
    auto done = file_->write_at(at, std::as_bytes(std::span(group_)).first(bytes));
    written_ += bytes;
    filling_ = 0;
    std::fill(group_.begin(), group_.end(), Page{});
    return done;
  }

  AppendFile* file_;
  std::vector<Page> group_;
  std::size_t filling_ = 0;
  std::uint64_t offset_ = 0, written_ = 0, entries_ = 0;
  bool reserved_ = false, first_hashes_wanted_ = false;
  std::vector<Hash> first_hashes_;
};

/// Writes one index segment: entries come sorted, as FORMAT.md says. In memory are
/// two groups of pages and 8 bytes per directory page.
class SegmentWriter {
 public:
  /// `name_entries`: how many add_name() will follow, exactly.
  static Result<SegmentWriter> begin(AppendFile& file, std::uint64_t name_entries);

  Result<void> add_directory(std::uint64_t hash, const layout::Locator& locator) {
    return directories_.add(hash, locator);
  }
  /// Names of one directory hash, announced by its names entry, sorted by name hash.
  Result<void> add_name(std::uint32_t hash, const layout::NameLocator& locator) {
    return names_.add(hash, locator);
  }
  std::uint64_t names_so_far() const { return names_.entries(); }

  /// Ends the pages and writes the fences. The caller completes the row with the
  /// batch table's place.
  Result<layout::SegmentRow> finish();

 private:
  explicit SegmentWriter(AppendFile& file) : file_(&file), names_(file), directories_(file) {
    directories_.want_first_hashes();
  }
  AppendFile* file_;
  PageStream<layout::NamePage> names_;
  PageStream<layout::DirectoryPage> directories_;
};

}  // namespace pwalk::image
