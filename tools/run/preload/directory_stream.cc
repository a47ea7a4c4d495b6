#include "run/preload/directory_stream.h"

#include <cstddef>
#include <cstring>

#include "run/preload/entry_facts.h"

namespace pwalk::run {
namespace {

constexpr std::uint64_t kDots = 2;
constexpr std::size_t kAlignment = 8;  // of records, as the kernel pads them

struct Shown {
  std::string_view name;
  std::uint64_t inode = 0;
  unsigned char type = DT_UNKNOWN;
};

std::uint64_t inode_of(const EntryRef& entry) { return entry.get<std::uint64_t>(schema::Column::inode); }

Shown show_dots(const ScannedTree& tree, const OpenEntry& open) {
  if (open.position == 0) return {".", inode_of(open.entry), DT_DIR};
  const auto above = tree.find(open.path.substr(0, std::max<std::size_t>(open.path.rfind('/'), 1)));
  return {"..", above ? inode_of(*above) : inode_of(open.entry), DT_DIR};
}

Shown show(const EntryRef& entry) {
  Shown shown{entry.name(), inode_of(entry), directory_type(entry.type())};
  // 0 would mean an empty slot to some programs.
  if (shown.inode == 0) shown.inode = 1;
  return shown;
}

bool place(const Shown& shown, std::uint64_t next, struct dirent& into, std::size_t room) {
  const std::size_t length = (offsetof(struct dirent, d_name) + shown.name.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  if (length > room || length > 0xffff) return false;
  into.d_ino = shown.inode;
  into.d_off = off_t(next);
  into.d_reclen = static_cast<unsigned short>(length);
  into.d_type = shown.type;
  char* name = reinterpret_cast<char*>(&into) + offsetof(struct dirent, d_name);
  std::memcpy(name, shown.name.data(), shown.name.size());
  std::memset(name + shown.name.size(), 0, length - offsetof(struct dirent, d_name) - shown.name.size());
  return true;
}

}  // namespace

DirectoryStream* DirectoryStream::of(DIR* stream) {
  if (!stream) return nullptr;
  std::uint64_t first = 0;
  std::memcpy(&first, stream, sizeof first);
  return first == kMark ? reinterpret_cast<DirectoryStream*>(stream) : nullptr;
}

int read_entry(const ScannedTree& tree, OpenEntry& open, struct dirent& into, std::size_t room) {
  const std::lock_guard lock(open.reading);
  if (open.path_only || !open.entry.is_directory()) return -EBADF;
  const auto& runs = open.listing.runs();
  Shown shown;
  if (open.position < kDots) {
    shown = show_dots(tree, open);
  } else if (open.run < runs.size()) {
    shown = show({*runs[open.run].batch, runs[open.run].first + open.row});
  } else {
    const auto& record = open.listing.record();
    return record && record->error != 0 ? -int(record->error) : 0;
  }
  if (!place(shown, open.position + 1, into, room)) return -EINVAL;
  if (open.position++ < kDots) return 1;
  if (++open.row == runs[open.run].count) ++open.run, open.row = 0;
  return 1;
}

void seek_entry(OpenEntry& open, std::uint64_t position) {
  const std::lock_guard lock(open.reading);
  const auto& runs = open.listing.runs();
  open.position = position;
  open.run = 0;
  std::uint64_t left = position < kDots ? 0 : position - kDots;
  while (open.run < runs.size() && left >= runs[open.run].count) left -= runs[open.run++].count;
  open.row = std::uint32_t(open.run < runs.size() ? left : 0);
}

}  // namespace pwalk::run
