#include "attribute_reader.h"

#include <array>
#include <limits>

namespace pwalk {

using schema::Column;
using schema::ColumnSet;
using schema::Entry;

namespace {

/// The columns that come from statx, each with the bit of its mask. stx_dev_* and
/// stx_rdev_* are always filled in (statx(2)); TYPE stands for "any answer".
constexpr std::array<std::pair<Column, unsigned>, 14> kSources{{
    {Column::inode, STATX_INO},
    {Column::device, STATX_TYPE},
    {Column::size, STATX_SIZE},
    {Column::blocks, STATX_BLOCKS},
    {Column::mode, STATX_MODE | STATX_TYPE},
    {Column::nlink, STATX_NLINK},
    {Column::uid, STATX_UID},
    {Column::gid, STATX_GID},
    {Column::rdev, STATX_TYPE},
    {Column::atime, STATX_ATIME},
    {Column::mtime, STATX_MTIME},
    {Column::ctime, STATX_CTIME},
    {Column::btime, STATX_BTIME},
    {Column::mount_id, STATX_MNT_ID},
}};

constexpr unsigned kWalkingNeeds = STATX_TYPE | STATX_INO | STATX_MNT_ID;
constexpr unsigned kEverything = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;

/// Of the wanted columns those that an answer with this mask holds.
ColumnSet given(ColumnSet wanted, unsigned mask) {
  for (const auto& [column, bits] : kSources)
    if ((mask & bits) != bits) wanted.erase(column);
  return wanted;
}

/// Nanoseconds since 1970, clamped to int64 (years 1677 to 2262).
std::int64_t nanoseconds(const struct ::statx_timestamp& time, bool& saturated) {
  constexpr std::int64_t safe = 9'223'372'035;  // seconds that cannot overflow
  if (time.tv_sec <= safe && time.tv_sec >= -safe) [[likely]]
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
  const __int128 exact = __int128(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  if (exact >= least && exact <= most) return std::int64_t(exact);
  saturated = true;
  return exact < 0 ? least : most;
}

struct ::statx_timestamp timestamp(const timespec& time) {
  struct ::statx_timestamp result {};
  result.tv_sec = time.tv_sec;
  result.tv_nsec = std::uint32_t(time.tv_nsec);
  return result;
}

/// What fstatat knows, in statx's form.
void translate(const struct ::stat& from, struct ::statx& to) {
  to = {};
  to.stx_mask = STATX_BASIC_STATS;
  to.stx_mode = std::uint16_t(from.st_mode);
  to.stx_nlink = std::uint32_t(from.st_nlink);
  to.stx_uid = from.st_uid;
  to.stx_gid = from.st_gid;
  to.stx_ino = from.st_ino;
  to.stx_size = std::uint64_t(from.st_size);
  to.stx_blocks = std::uint64_t(from.st_blocks);
  to.stx_dev_major = major(from.st_dev);
  to.stx_dev_minor = minor(from.st_dev);
  to.stx_rdev_major = major(from.st_rdev);
  to.stx_rdev_minor = minor(from.st_rdev);
  to.stx_atime = timestamp(from.st_atim);
  to.stx_mtime = timestamp(from.st_mtim);
  to.stx_ctime = timestamp(from.st_ctim);
}

void describe_times(const struct ::statx& answer, Entry& entry) {
  bool saturated = false;
  const auto set = [&](Column column, const struct ::statx_timestamp& time, std::int64_t& out) {
    if (entry.known.has(column)) out = nanoseconds(time, saturated);
  };
  set(Column::atime, answer.stx_atime, entry.atime);
  set(Column::mtime, answer.stx_mtime, entry.mtime);
  set(Column::ctime, answer.stx_ctime, entry.ctime);
  set(Column::btime, answer.stx_btime, entry.btime);
  if (saturated) entry.flags |= schema::kSaturated;
}

}  // namespace

int AttributeReader::read_by_stat(int directory, const char* name, int flags, struct ::statx& out) const {
  struct ::stat answer {};
  flags &= ~(AT_STATX_DONT_SYNC | AT_STATX_FORCE_SYNC);  // fstatat knows neither
  const int result = calls_.fstatat(directory, name, flags, answer);
  if (result >= 0) translate(answer, out);
  return result;
}

Identity AttributeReader::identify(int fd) const {
  struct ::statx answer {};
  if (use_statx()) {
    // The object is open: what is cached of who it is cannot be out of date.
    const int flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
    const int result = calls_.statx(fd, "", flags, STATX_INO | STATX_MNT_ID, answer);
    if (result >= 0) return identity_of(answer);
    if (result != -ENOSYS) return {};
    give_up_statx();
  }
  return read_by_stat(fd, "", AT_EMPTY_PATH, answer) < 0 ? Identity{} : identity_of(answer);
}

void describe(const struct ::statx& answer, ColumnSet wanted, Entry& entry) {
  wanted = wanted - ColumnSet::opt_in();  // these come from elsewhere
  entry.type = letter_of_mode(answer.stx_mode);
  const bool all = (answer.stx_mask & kEverything) == kEverything;
  entry.known = all ? wanted : given(wanted, answer.stx_mask);
  entry.inode = answer.stx_ino;
  entry.device = makedev(answer.stx_dev_major, answer.stx_dev_minor);
  entry.size = answer.stx_size;
  entry.blocks = answer.stx_blocks;
  entry.mode = answer.stx_mode;
  entry.nlink = answer.stx_nlink;
  entry.uid = answer.stx_uid;
  entry.gid = answer.stx_gid;
  entry.rdev = std::uint32_t(makedev(answer.stx_rdev_major, answer.stx_rdev_minor));
  entry.mount_id = answer.stx_mnt_id;
  describe_times(answer, entry);
}

unsigned statx_mask_for(ColumnSet columns) {
  unsigned mask = 0;
  for (const auto& [column, bits] : kSources)
    if (columns.has(column)) mask |= bits;
  return mask == 0 ? 0 : mask | kWalkingNeeds;
}

}  // namespace pwalk
