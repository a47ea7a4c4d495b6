#include "dir_reader.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace pwalk {
namespace {

/// struct linux_dirent64 of getdents64(2): the fixed part, then the name.
struct RecordHead {
  std::uint64_t inode;
  std::int64_t next;
  std::uint16_t length;
  std::uint8_t type;
} __attribute__((packed));
static_assert(sizeof(RecordHead) == 19);

/// What the kernel itself refuses in verify_dirent_name() (fs/readdir.c).
bool is_possible(std::string_view name) {
  return !name.empty() && std::memchr(name.data(), '/', name.size()) == nullptr;
}

bool is_dots(std::string_view name) {
  return name[0] == '.' && (name.size() == 1 || (name.size() == 2 && name[1] == '.'));
}

}  // namespace

// One name alone could honestly come twice, when it is renamed while it is
// listed; a row of them cannot.
std::uint64_t ListingCycle::signature_of(std::span<const std::byte> block) {
  constexpr unsigned records = 8;
  std::uint64_t signature = 0;
  for (unsigned i = 0; i < records && block.size() > sizeof(RecordHead); ++i) {
    RecordHead head;
    std::memcpy(&head, block.data(), sizeof head);
    if (head.length <= sizeof head || head.length > block.size()) break;
    // What follows the NUL is whatever stood in the buffer before.
    const auto* name = reinterpret_cast<const char*>(block.data() + sizeof head);
    signature = XXH3_64bits_withSeed(name, strnlen(name, head.length - sizeof head), signature ^ head.inode);
    block = block.subspan(head.length);
  }
  return signature;
}

bool ListingCycle::repeats(std::uint64_t signature) {
  if (marked_ && signature == mark_) return true;
  if (++steps_ == span_) {
    mark_ = signature;
    marked_ = true;
    steps_ = 0;
    span_ *= 2;
  }
  return false;
}

DirReader::DirReader(const sys::Calls& calls, std::size_t buffer_bytes, bool use_getdents)
    : calls_(calls), size_(buffer_bytes), use_getdents_(use_getdents), buffer_(new std::byte[buffer_bytes]) {}

DirReader::~DirReader() { leave(); }

void DirReader::leave() {
  forget_stream();
  filled_ = at_ = 0;
}

void DirReader::forget_stream() {
  if (stream_) calls_.close_stream(stream_);
  stream_ = nullptr;
  held_ = nullptr;
}

int DirReader::fill(int fd, ListingPosition& position, std::size_t limit) {
  const std::size_t room = limit == 0 ? size_ : std::min(limit, size_);
  damage_ = 0;
  filled_ = at_ = 0;
  const long got =
      use_getdents_ ? calls_.getdents(fd, {buffer_.get(), room}) : fill_from_stream(fd, position, room);
  if (got <= 0) return int(got);
  filled_ = std::min(std::size_t(got), room);
  position.started = true;
  return position.cycle.repeats(ListingCycle::signature_of({buffer_.get(), filled_})) ? -ELOOP : 1;
}

bool DirReader::next(Dirent& entry, ListingPosition& position) {
  while (at_ < filled_) {
    const std::byte* record = buffer_.get() + at_;
    const std::size_t rest = filled_ - at_;
    RecordHead head{};
    if (rest > sizeof head) std::memcpy(&head, record, sizeof head);
    const char* name = reinterpret_cast<const char*>(record) + sizeof head;
    const bool inside = head.length > sizeof head && head.length <= rest;
    const void* end = inside ? std::memchr(name, 0, head.length - sizeof head) : nullptr;
    if (!end) {
      damage_ = EBADMSG;
      at_ = filled_;
      return false;
    }
    at_ += head.length;
    position.next = head.next;
    entry = {{name, std::size_t(static_cast<const char*>(end) - name)}, head.type};
    if (!is_possible(entry.name))
      ++position.refused;
    else if (!is_dots(entry.name))
      return true;
  }
  return false;
}

// readdir(3) hands out one name at a time; repacked into records, everything
// behind fill() is the same for both ways of reading.
long DirReader::fill_from_stream(int fd, const ListingPosition& position, std::size_t limit) {
  int error = 0;
  if (!stream_) {
    stream_ = calls_.open_stream(fd, error);
    if (!stream_) return -error;
    if (position.started)
      if (const int moved = calls_.seek(fd, position.next); moved < 0) return moved;
  }
  std::size_t used = 0;
  for (;;) {
    const ::dirent* from = held_ ? held_ : calls_.read_stream(stream_, error);
    held_ = nullptr;
    if (!from) return used > 0 || error == 0 ? long(used) : -error;
    const std::size_t length = std::strlen(from->d_name) + 1;
    const std::size_t record = (sizeof(RecordHead) + length + 7) / 8 * 8;
    if (used + record > limit) {
      held_ = from;
      return used > 0 ? long(used) : -EINVAL;  // as getdents64 does when not one record fits
    }
    const RecordHead head{from->d_ino, from->d_off, std::uint16_t(record), from->d_type};
    std::memset(buffer_.get() + used, 0, record);
    std::memcpy(buffer_.get() + used, &head, sizeof head);
    std::memcpy(buffer_.get() + used + sizeof head, from->d_name, length);
    used += record;
  }
}

}  // namespace pwalk
