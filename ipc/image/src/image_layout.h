#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

/// What stands in an image file. FORMAT.md says what it means; nothing here has
/// pointers or padding, and nothing may be reordered.
namespace pwalk::image::layout {

inline constexpr char kMagic[8] = {'P', 'W', 'A', 'L', 'K', 'I', 'M', 'G'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint64_t kSlotOffset[2] = {4096, 8192};
inline constexpr std::uint64_t kFirstObject = 12288;
inline constexpr std::size_t kObjectAlignment = 64;
inline constexpr std::size_t kPageBytes = 4096;

struct Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t reserved;
  std::uint8_t id[16];
  std::uint64_t seed;
  std::uint64_t facts_offset;
  std::uint64_t facts_bytes;
  std::uint64_t facts_checksum;
  std::uint64_t checksum;  // of the bytes before it
};
static_assert(sizeof(Header) == 72 && offsetof(Header, checksum) == 64);

struct Slot {
  std::uint8_t id[16];  // the header's
  std::uint64_t commit;
  std::uint64_t record_offset;
  std::uint64_t record_bytes;
  std::uint64_t record_checksum;
  std::uint64_t file_bytes;  // the file is at least this long
  std::uint32_t state;       // ImageState, so that a damaged record is judged without it
  std::uint32_t reserved;
  std::uint64_t checksum;  // of the bytes before it
};
static_assert(sizeof(Slot) == 72 && offsetof(Slot, checksum) == 64);

/// A commit record: this, `segments` × SegmentRow, `lanes` × LaneRow.
struct CommitRecord {
  std::uint64_t commit;
  std::uint64_t batches;
  std::uint64_t rows;
  std::uint64_t records;
  std::uint64_t errors;
  std::uint64_t file_size_sum;
  std::uint64_t content_hash;
  std::int64_t finished_ns;
  std::uint32_t state;
  std::uint32_t segments;
  std::uint32_t lanes;
  std::uint32_t reserved;
};
static_assert(sizeof(CommitRecord) == 80);

struct SegmentRow {
  std::uint64_t names_offset;        // of name pages
  std::uint64_t name_entries;
  std::uint64_t directories_offset;  // of directory pages
  std::uint64_t directory_entries;
  std::uint64_t fences_offset;       // one u64 per directory page
  std::uint64_t fences_checksum;
  std::uint64_t batches_offset;      // of BatchRows
  std::uint64_t batches_checksum;
  std::uint32_t first_batch;
  std::uint32_t batch_count;
};
static_assert(sizeof(SegmentRow) == 72);

struct LaneRow {
  std::uint32_t lane;
  std::uint32_t reserved;
  std::uint64_t next;  // sequence of the first batch that is not in the image
};
static_assert(sizeof(LaneRow) == 16);

struct BatchRow {
  std::uint64_t offset;
  std::uint64_t sequence;
  std::uint64_t checksum;
  std::uint32_t bytes;
  std::uint32_t rows;
  std::uint32_t lane;
  std::uint32_t records;
};
static_assert(sizeof(BatchRow) == 40);

struct PageHeader {
  std::uint64_t checksum;  // of the page's bytes after it
  std::uint32_t entries;   // full pages all, but for the last
  std::uint32_t reserved;
};
static_assert(sizeof(PageHeader) == 16);

enum class DirectoryEntryKind : std::uint16_t { names = 0, run = 1, named_run = 2 };

/// What a directory entry says beside its hash. Two shapes over the same 12 bytes.
struct Locator {
  std::uint16_t words[5];
  DirectoryEntryKind kind;

  // run, named_run
  static Locator run(DirectoryEntryKind kind, std::uint32_t batch, std::uint16_t first, std::uint16_t rows,
                     std::uint16_t record) {
    return {{std::uint16_t(batch), std::uint16_t(batch >> 16), first, rows, record}, kind};
  }
  std::uint32_t batch() const { return words[0] | std::uint32_t(words[1]) << 16; }
  std::uint16_t first_row() const { return words[2]; }
  std::uint16_t directory() const { return words[2]; }  // where rows() == 0
  std::uint16_t rows() const { return words[3]; }
  std::uint16_t record() const { return words[4]; }     // 0: none; else its number + 1

  // names: 48 bits of where the first is, 32 of how many
  static Locator names(std::uint64_t first, std::uint32_t count) {
    return {{std::uint16_t(first), std::uint16_t(first >> 16), std::uint16_t(first >> 32),
             std::uint16_t(count), std::uint16_t(count >> 16)},
            DirectoryEntryKind::names};
  }
  std::uint64_t first_name() const { return batch() | std::uint64_t(words[2]) << 32; }
  std::uint32_t name_count() const { return words[3] | std::uint32_t(words[4]) << 16; }
};
static_assert(sizeof(Locator) == 12);

/// Where a named row is.
struct NameLocator {
  std::uint16_t words[3];
  static NameLocator at(std::uint32_t batch, std::uint16_t row) {
    return {{std::uint16_t(batch), std::uint16_t(batch >> 16), row}};
  }
  std::uint32_t batch() const { return words[0] | std::uint32_t(words[1]) << 16; }
  std::uint16_t row() const { return words[2]; }
};
static_assert(sizeof(NameLocator) == 6);

/// Hashes first, so that a search touches two or three cache lines of a page.
struct DirectoryPage {
  static constexpr std::uint32_t kCapacity = 204;
  PageHeader header;
  std::uint64_t hashes[kCapacity];
  Locator locators[kCapacity];
};
static_assert(sizeof(DirectoryPage) == kPageBytes);

struct NamePage {
  static constexpr std::uint32_t kCapacity = 408;
  PageHeader header;
  std::uint32_t hashes[kCapacity];
  NameLocator locators[kCapacity];
};
static_assert(sizeof(NamePage) == kPageBytes);

static_assert(std::is_trivially_copyable_v<Header> && std::is_trivially_copyable_v<Slot> &&
              std::is_trivially_copyable_v<CommitRecord> && std::is_trivially_copyable_v<DirectoryPage> &&
              std::is_trivially_copyable_v<NamePage>);

}  // namespace pwalk::image::layout
