#include "segment_reader.h"

#include <algorithm>

#include "append_file.h"
#include "checksum.h"

namespace pwalk::image {
namespace {

template <class Page>
constexpr std::uint64_t pages_of(std::uint64_t entries) {
  return entries / Page::kCapacity + (entries % Page::kCapacity != 0);
}

bool lies_in(const ImageFile& file, std::uint64_t offset, std::uint64_t count, std::uint64_t each, std::size_t alignment) {
  if (count == 0) return true;  // nothing is ever read there
  return offset % alignment == 0 && offset >= layout::kFirstObject && offset <= file.bytes() &&
         count <= (file.bytes() - offset) / each;
}

/// Where a page's sorted hashes first reach `hash`. Hashes are uniform, so a
/// proportional guess between `least` and `most`, what the fences say of the page's
/// first and last, is off by a few places; from there it walks. The page's ends are
/// not looked at: they would be two more lines that are not in the cache.
std::uint32_t first_not_below(const layout::DirectoryPage& page, std::uint32_t count, std::uint64_t hash,
                              std::uint64_t least, std::uint64_t most) {
  const double share = hash <= least ? 0 : hash >= most ? 1 : double(hash - least) / double(most - least);
  auto at = std::min(std::uint32_t(share * count), count - 1);
  __builtin_prefetch(&page.locators[at]);  // needed next, and not near the hashes
  while (at > 0 && page.hashes[at - 1] >= hash) --at;
  while (at < count && page.hashes[at] < hash) ++at;
  return at;
}

}  // namespace

template <class Page>
PageTable<Page>::PageTable(ImageFile& file, std::uint64_t offset, std::uint64_t entries)
    : file_(&file), offset_(offset), entries_(entries), pages_(pages_of<Page>(entries)),
      checked_(std::make_unique<std::atomic<std::uint8_t>[]>(pages_)), checking_(std::make_unique<std::mutex>()) {}

template <class Page>
Result<const Page*> PageTable<Page>::page(std::uint64_t number) const {
  // acquire: pairs with the release in check()
  if (!checked_[number].load(std::memory_order_acquire))
    if (auto fine = check(number); !fine) return tl::unexpected(fine.error());
  return reinterpret_cast<const Page*>(file_->at(offset_of(number)));
}

template <class Page>
Result<void> PageTable<Page>::check(std::uint64_t number) const {
  const std::lock_guard alone(*checking_);
  if (checked_[number].load(std::memory_order_relaxed)) return {};  // ordered by the mutex
  const std::uint64_t offset = offset_of(number);
  if (auto got = file_->fetch(offset, layout::kPageBytes); !got) return got;
  const auto& page = *reinterpret_cast<const Page*>(file_->at(offset));
  if (checksum(bytes_of(page).subspan(sizeof(std::uint64_t)), offset) != page.header.checksum)
    return file_->damaged(offset, "the index page does not match its checksum");
  if (page.header.entries != entries_in(number)) return file_->damaged(offset, "the index page has a wrong number of entries");
  checked_[number].store(1, std::memory_order_release);  // pairs with the acquire in page()
  return {};
}

Result<SegmentReader> SegmentReader::open(ImageFile& file, const layout::SegmentRow& row) {
  const std::uint64_t name_pages = pages_of<layout::NamePage>(row.name_entries);
  const std::uint64_t directory_pages = pages_of<layout::DirectoryPage>(row.directory_entries);
  const bool inside =
      lies_in(file, row.names_offset, name_pages, layout::kPageBytes, layout::kPageBytes) &&
      lies_in(file, row.directories_offset, directory_pages, layout::kPageBytes, layout::kPageBytes) &&
      lies_in(file, row.fences_offset, directory_pages, sizeof(std::uint64_t), layout::kObjectAlignment) &&
      lies_in(file, row.batches_offset, row.batch_count, sizeof(layout::BatchRow), layout::kObjectAlignment);
  if (!inside) return file.damaged(row.batches_offset, "an index segment does not lie in the file");
  SegmentReader segment(file, row);
  if (auto fine = segment.load_fences(); !fine) return tl::unexpected(fine.error());
  if (auto fine = segment.load_batch_table(); !fine) return tl::unexpected(fine.error());
  return segment;
}

Result<void> SegmentReader::load_fences() {
  const std::uint64_t bytes = directories_.pages() * sizeof(std::uint64_t);
  if (bytes == 0) return {};
  if (auto got = file_->fetch(row_.fences_offset, bytes); !got) return got;
  if (checksum(file_->at(row_.fences_offset, bytes), row_.fences_offset) != row_.fences_checksum)
    return file_->damaged(row_.fences_offset, "the index fences do not match their checksum");
  fences_ = {reinterpret_cast<const std::uint64_t*>(file_->at(row_.fences_offset)), directories_.pages()};
  if (!std::is_sorted(fences_.begin(), fences_.end()))
    return file_->damaged(row_.fences_offset, "the index fences do not ascend");
  return {};
}

Result<void> SegmentReader::load_batch_table() {
  const std::uint64_t bytes = row_.batch_count * sizeof(layout::BatchRow);
  if (bytes == 0) return {};
  if (auto got = file_->fetch(row_.batches_offset, bytes); !got) return got;
  if (checksum(file_->at(row_.batches_offset, bytes), row_.batches_offset) != row_.batches_checksum)
    return file_->damaged(row_.batches_offset, "the batch table does not match its checksum");
  batches_ = {reinterpret_cast<const layout::BatchRow*>(file_->at(row_.batches_offset)), row_.batch_count};
  for (const layout::BatchRow& batch : batches_)
    if (batch.offset % layout::kObjectAlignment != 0 || batch.offset < layout::kFirstObject ||
        batch.offset > file_->bytes() || batch.bytes > file_->bytes() - batch.offset)
      return file_->damaged(row_.batches_offset, "a batch does not lie in the file");
  return {};
}

SegmentReader::Cursor SegmentReader::find(std::uint64_t hash) const {
  // The entries of a hash may begin at the end of the page before the first fence that reaches it.
  const auto fence = std::uint64_t(std::lower_bound(fences_.begin(), fences_.end(), hash) - fences_.begin());
  return Cursor(this, hash, fence == 0 ? 0 : fence - 1);
}

Result<bool> SegmentReader::Cursor::next(layout::Locator& into) {
  const auto& table = segment_->directories_;
  for (;;) {
    if (!loaded_) {
      if (page_ >= table.pages() || segment_->fences_[page_] > hash_) return false;
      auto page = table.page(page_);
      if (!page) return tl::unexpected(page.error());
      loaded_ = *page;
      at_ = first_not_below(*loaded_, table.entries_in(page_), hash_, segment_->fences_[page_], segment_->last_hash_near(page_));
    }
    if (at_ < table.entries_in(page_)) {
      if (loaded_->hashes[at_] != hash_) return false;
      into = loaded_->locators[at_++];
      return true;
    }
    loaded_ = nullptr;
    ++page_;
  }
}

Result<std::uint32_t> SegmentReader::name_hash_at(std::uint64_t entry) const {
  auto page = names_.page(entry / layout::NamePage::kCapacity);
  if (!page) return tl::unexpected(page.error());
  return (*page)->hashes[entry % layout::NamePage::kCapacity];
}

/// Proportional guesses narrow the range while it spans pages (hashes are uniform, so
/// two or three do); halving takes over if they should not.
Result<SegmentReader::NameCursor> SegmentReader::find_name(const layout::Locator& names, std::uint32_t hash) const {
  std::uint64_t low = names.first_name(), high = low + names.name_count();
  if (high > names_.entries()) return file_->damaged(row_.names_offset, "a directory's names lie beyond the name pages");
  NameCursor cursor;
  cursor.segment_ = this;
  cursor.hash_ = hash;
  cursor.end_ = high;
  // Invariant: entries before low are below hash, those from high on are not.
  double least = 0, most = 4294967296.0;
  for (int guesses = 0; low < high; ++guesses) {
    const double share = (hash - least) / std::max(most - least, 1.0);
    std::uint64_t at = low + (high - low) / 2;
    if (guesses < 16 && high - low > 16) at = low + std::min(std::uint64_t(share * double(high - low)), high - low - 1);
    auto found = name_hash_at(at);
    if (!found) return tl::unexpected(found.error());
    if (*found < hash) low = at + 1, least = *found;
    else high = at, most = *found;
  }
  cursor.at_ = low;
  return cursor;
}

Result<bool> SegmentReader::NameCursor::next(layout::NameLocator& into) {
  if (at_ >= end_) return false;
  auto page = segment_->names_.page(at_ / layout::NamePage::kCapacity);
  if (!page) return tl::unexpected(page.error());
  const auto slot = std::uint32_t(at_ % layout::NamePage::kCapacity);
  if ((*page)->hashes[slot] != hash_) return false;
  into = (*page)->locators[slot];
  ++at_;
  return true;
}

}  // namespace pwalk::image
