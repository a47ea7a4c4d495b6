#include "run/preload/entry_facts.h"

#include <dirent.h>
#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

namespace pwalk::run {
namespace {

using schema::Column;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::uint32_t kBlock = 4096;
constexpr std::size_t kLongestName = 255;

struct TypeWords {
  char letter;
  mode_t bits;
  unsigned char entry;
};
constexpr std::array<TypeWords, 7> kTypes{{{'f', S_IFREG, DT_REG}, {'d', S_IFDIR, DT_DIR}, {'l', S_IFLNK, DT_LNK},
                                           {'b', S_IFBLK, DT_BLK}, {'c', S_IFCHR, DT_CHR}, {'p', S_IFIFO, DT_FIFO},
                                           {'s', S_IFSOCK, DT_SOCK}}};

mode_t mode_of(const EntryRef& entry) {
  return entry.has(Column::mode) ? entry.get<std::uint32_t>(Column::mode) : type_bits(entry.type());
}

std::int64_t seconds_of(std::int64_t ns) { return ns / kSecond - (ns % kSecond < 0); }
std::int64_t rest_of(std::int64_t ns) { return ns - seconds_of(ns) * kSecond; }

timespec time_of(const EntryRef& entry, Column column) {
  const auto ns = entry.get<std::int64_t>(column);
  return {time_t(seconds_of(ns)), long(rest_of(ns))};
}

void fill_time(const EntryRef& entry, Column column, unsigned bit, statx_timestamp& into, struct statx& facts) {
  const auto ns = entry.get<std::int64_t>(column);
  into.tv_sec = seconds_of(ns);
  into.tv_nsec = std::uint32_t(rest_of(ns));
  if (entry.has(column)) facts.stx_mask |= bit;
}

bool is_mine(gid_t group, bool effective) {
  if (group == (effective ? ::getegid() : ::getgid())) return true;
  std::vector<gid_t> groups(std::size_t(std::max(0, ::getgroups(0, nullptr))));
  const int count = ::getgroups(int(groups.size()), groups.data());
  return count > 0 && std::find(groups.begin(), groups.begin() + count, group) != groups.begin() + count;
}

}  // namespace

mode_t type_bits(char letter) {
  for (const TypeWords& type : kTypes)
    if (type.letter == letter) return type.bits;
  return 0;
}

unsigned char directory_type(char letter) {
  for (const TypeWords& type : kTypes)
    if (type.letter == letter) return type.entry;
  return DT_UNKNOWN;
}

int fill(const EntryRef& entry, struct stat& into) {
  if (entry.error() != 0) return int(entry.error());
  into = {};
  into.st_dev = entry.get<std::uint64_t>(Column::device);
  into.st_ino = entry.get<std::uint64_t>(Column::inode);
  into.st_mode = mode_of(entry);
  into.st_nlink = entry.get<std::uint32_t>(Column::nlink);
  into.st_uid = entry.get<std::uint32_t>(Column::uid);
  into.st_gid = entry.get<std::uint32_t>(Column::gid);
  into.st_rdev = entry.get<std::uint32_t>(Column::rdev);
  into.st_size = off_t(entry.get<std::uint64_t>(Column::size));
  into.st_blocks = blkcnt_t(entry.get<std::uint64_t>(Column::blocks));
  into.st_blksize = kBlock;
  into.st_atim = time_of(entry, Column::atime);
  into.st_mtim = time_of(entry, Column::mtime);
  into.st_ctim = time_of(entry, Column::ctime);
  return 0;
}

int fill(const EntryRef& entry, struct statx& into) {
  struct stat facts {};
  if (const int code = fill(entry, facts); code != 0) return code;
  into = {};
  into.stx_mask = STATX_TYPE;
  const std::pair<Column, unsigned> masks[] = {{Column::mode, STATX_MODE}, {Column::nlink, STATX_NLINK}, {Column::uid, STATX_UID},
                                               {Column::gid, STATX_GID}, {Column::inode, STATX_INO}, {Column::size, STATX_SIZE},
                                               {Column::blocks, STATX_BLOCKS}};
  for (const auto& [column, bit] : masks)
    if (entry.has(column)) into.stx_mask |= bit;
  into.stx_mode = std::uint16_t(facts.st_mode);
  into.stx_nlink = std::uint32_t(facts.st_nlink);
  into.stx_uid = facts.st_uid;
  into.stx_gid = facts.st_gid;
  into.stx_ino = facts.st_ino;
  into.stx_size = std::uint64_t(facts.st_size);
  into.stx_blocks = std::uint64_t(facts.st_blocks);
  into.stx_blksize = kBlock;
  into.stx_dev_major = major(facts.st_dev);
  into.stx_dev_minor = minor(facts.st_dev);
  into.stx_rdev_major = major(facts.st_rdev);
  into.stx_rdev_minor = minor(facts.st_rdev);
  fill_time(entry, Column::atime, STATX_ATIME, into.stx_atime, into);
  fill_time(entry, Column::mtime, STATX_MTIME, into.stx_mtime, into);
  fill_time(entry, Column::ctime, STATX_CTIME, into.stx_ctime, into);
  fill_time(entry, Column::btime, STATX_BTIME, into.stx_btime, into);
  return 0;
}

void fill(const ScannedTree& tree, struct statfs& into) {
  into = {};
  into.f_type = TMPFS_MAGIC;  // tools choose a strategy by it, and this one is memory
  into.f_bsize = kBlock;
  into.f_frsize = kBlock;
  into.f_blocks = (tree.results().totals().file_bytes + kBlock - 1) / kBlock;
  into.f_files = tree.results().totals().rows;
  into.f_namelen = kLongestName;
  into.f_flags = ST_RDONLY;
}

void fill(const ScannedTree& tree, struct statvfs& into) {
  struct statfs facts {};
  fill(tree, facts);
  into = {};
  into.f_bsize = kBlock;
  into.f_frsize = kBlock;
  into.f_blocks = facts.f_blocks;
  into.f_files = facts.f_files;
  into.f_namemax = kLongestName;
  into.f_flag = ST_RDONLY;
}

int check_access(const EntryRef& entry, int wanted, bool effective) {
  if (entry.error() != 0) return int(entry.error());
  if (wanted & W_OK) return EROFS;
  if (!entry.has(Column::mode)) return 0;
  const mode_t mode = mode_of(entry);
  const uid_t who = effective ? ::geteuid() : ::getuid();
  if (who == 0) return !(wanted & X_OK) || S_ISDIR(mode) || mode & 0111 ? 0 : EACCES;
  unsigned bits = mode & 7;
  if (who == entry.get<std::uint32_t>(Column::uid)) bits = mode >> 6 & 7;
  else if (is_mine(entry.get<std::uint32_t>(Column::gid), effective)) bits = mode >> 3 & 7;
  return (unsigned(wanted) & 7 & ~bits) == 0 ? 0 : EACCES;
}

}  // namespace pwalk::run
