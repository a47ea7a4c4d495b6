#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace pwalk::schema {

/// The columns of a batch. The numbers are part of the format: append, never renumber.
enum class Column : std::uint8_t {
  type = 0,
  inode,
  device,
  size,
  blocks,
  mode,
  nlink,
  uid,
  gid,
  rdev,
  atime,
  mtime,
  ctime,
  btime,
  mount_id,
  depth,
  error,
  operation,
  flags,
  project,
  stripe_count,
  stripe_size,
  mdt,
  // Text of any length; what follows the fixed-width columns above must stay below 48.
  target = 48,
  pool,
};

/// What one element of a column is, in numpy's words.
enum class ElementType : std::uint8_t { u1, u4, u8, i8 };

constexpr std::size_t width_of(ElementType type) {
  return type == ElementType::u1 ? 1 : type == ElementType::u4 ? 4 : 8;
}

struct ColumnSpec {
  Column id;
  std::string_view name;
  ElementType element;
  std::string_view arrow_format;  ///< Arrow C data interface format string
  std::string_view meaning;       ///< unit and source, for documentation
};

/// The one definition of every fixed-width column, in the order users see.
inline constexpr std::array kColumns{
    ColumnSpec{Column::type, "type", ElementType::u1, "C", "find's letter: f d l b c p s, ? if unknown"},
    ColumnSpec{Column::inode, "inode", ElementType::u8, "L", "stx_ino"},
    ColumnSpec{Column::device, "device", ElementType::u8, "L", "makedev of stx_dev_major, stx_dev_minor"},
    ColumnSpec{Column::size, "size", ElementType::u8, "L", "stx_size, bytes"},
    ColumnSpec{Column::blocks, "blocks", ElementType::u8, "L", "stx_blocks, units of 512 bytes"},
    ColumnSpec{Column::mode, "mode", ElementType::u4, "I", "st_mode, type bits included"},
    ColumnSpec{Column::nlink, "nlink", ElementType::u4, "I", "stx_nlink"},
    ColumnSpec{Column::uid, "uid", ElementType::u4, "I", "stx_uid"},
    ColumnSpec{Column::gid, "gid", ElementType::u4, "I", "stx_gid"},
    ColumnSpec{Column::rdev, "rdev", ElementType::u4, "I", "makedev of stx_rdev_major, stx_rdev_minor"},
    ColumnSpec{Column::atime, "atime", ElementType::i8, "tsn:UTC", "nanoseconds since 1970 UTC"},
    ColumnSpec{Column::mtime, "mtime", ElementType::i8, "tsn:UTC", "nanoseconds since 1970 UTC"},
    ColumnSpec{Column::ctime, "ctime", ElementType::i8, "tsn:UTC", "nanoseconds since 1970 UTC"},
    ColumnSpec{Column::btime, "btime", ElementType::i8, "tsn:UTC", "nanoseconds since 1970 UTC"},
    ColumnSpec{Column::mount_id, "mount_id", ElementType::u8, "L", "stx_mnt_id"},
    ColumnSpec{Column::depth, "depth", ElementType::u4, "I", "0 for a root"},
    ColumnSpec{Column::error, "error", ElementType::u4, "I", "errno of the failed operation, or 0"},
    ColumnSpec{Column::operation, "operation", ElementType::u1, "C", "which call failed, see Operation"},
    ColumnSpec{Column::flags, "flags", ElementType::u4, "I", "bits, see EntryFlag"},
    ColumnSpec{Column::project, "project", ElementType::u4, "I",
               "project id (quota) of files and directories"},
    ColumnSpec{Column::stripe_count, "stripe_count", ElementType::u4, "I",
               "storage targets a file is spread over"},
    ColumnSpec{Column::stripe_size, "stripe_size", ElementType::u8, "L",
               "bytes on one target before the next"},
    ColumnSpec{Column::mdt, "mdt", ElementType::u4, "I", "metadata server of the entry's directory"},
};
inline constexpr std::size_t kColumnCount = kColumns.size();

/// From here on columns are fetched only when they are asked for.
inline constexpr Column kFirstOptIn = Column::project;

/// A column whose values are bytes of any length but NUL: offsets and data, as for names.
struct TextColumnSpec {
  Column id;
  std::string_view name;
  std::string_view meaning;
};

/// All of them are opt-in. Row i of the table is column kFirstText + i.
inline constexpr std::array kTextColumns{
    TextColumnSpec{Column::target, "target", "text of a symbolic link"},
    TextColumnSpec{Column::pool, "pool", "pool of storage targets a file was put into"},
};
inline constexpr std::size_t kTextColumnCount = kTextColumns.size();
inline constexpr std::size_t kFirstText = std::size_t(Column::target);

constexpr bool is_text(Column column) {
  return std::size_t(column) >= kFirstText;
}

/// Of a fixed-width column.
constexpr const ColumnSpec& spec_of(Column column) {
  return kColumns[std::size_t(column)];
}

constexpr std::string_view name_of(Column column) {
  return is_text(column) ? kTextColumns[std::size_t(column) - kFirstText].name : spec_of(column).name;
}

constexpr std::optional<Column> column_named(std::string_view name) {
  for (const ColumnSpec& spec : kColumns)
    if (spec.name == name) return spec.id;
  for (const TextColumnSpec& spec : kTextColumns)
    if (spec.name == name) return spec.id;
  return std::nullopt;
}

/// A set of columns (`directory` and `name` are always there).
class ColumnSet {
 public:
  constexpr ColumnSet() = default;
  constexpr ColumnSet(std::initializer_list<Column> columns) {
    for (Column column : columns) insert(column);
  }
  /// Every fixed-width column.
  static constexpr ColumnSet all() {
    ColumnSet set;
    for (const ColumnSpec& spec : kColumns) set.insert(spec.id);
    return set;
  }
  static constexpr ColumnSet texts() {
    ColumnSet set;
    for (const TextColumnSpec& spec : kTextColumns) set.insert(spec.id);
    return set;
  }
  /// Those that are fetched only when asked for.
  static constexpr ColumnSet opt_in() {
    ColumnSet set = texts();
    for (const ColumnSpec& spec : kColumns)
      if (spec.id >= kFirstOptIn) set.insert(spec.id);
    return set;
  }
  constexpr bool has(Column column) const { return bits_ >> unsigned(column) & 1; }
  constexpr void insert(Column column) { bits_ |= std::uint64_t{1} << unsigned(column); }
  constexpr void erase(Column column) { bits_ &= ~(std::uint64_t{1} << unsigned(column)); }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr std::size_t size() const { return std::size_t(std::popcount(bits_)); }
  constexpr std::uint64_t bits() const { return bits_; }
  friend constexpr ColumnSet operator|(ColumnSet a, ColumnSet b) { return ColumnSet(a.bits_ | b.bits_); }
  friend constexpr ColumnSet operator&(ColumnSet a, ColumnSet b) { return ColumnSet(a.bits_ & b.bits_); }
  friend constexpr ColumnSet operator-(ColumnSet a, ColumnSet b) { return ColumnSet(a.bits_ & ~b.bits_); }
  constexpr bool operator==(const ColumnSet&) const = default;

  /// Goes through the columns in ascending order.
  class Iterator {
   public:
    explicit constexpr Iterator(std::uint64_t left) : left_(left) {}
    constexpr Column operator*() const { return Column(std::countr_zero(left_)); }
    constexpr Iterator& operator++() {
      left_ &= left_ - 1;
      return *this;
    }
    constexpr bool operator==(const Iterator&) const = default;

   private:
    std::uint64_t left_;  ///< bits of the columns that are still to come
  };
  constexpr Iterator begin() const { return Iterator(bits_); }
  constexpr Iterator end() const { return Iterator(0); }

 private:
  explicit constexpr ColumnSet(std::uint64_t bits) : bits_(bits) {}

  std::uint64_t bits_ = 0;
};

/// Which call failed: the `operation` column and the directory records.
enum class Operation : std::uint8_t {
  none = 0,
  open = 1,
  getdents = 2,
  statx = 3,
  chdir = 4,    ///< reopening a directory whose descriptor had been given back
  path = 5,     ///< the path was too long to be carried (ENAMETOOLONG)
  readdir = 6,  ///< the listing made no progress (ELOOP)
};
inline constexpr std::array<std::string_view, 7> kOperationNames{"none",  "open", "getdents", "statx",
                                                                 "chdir", "path", "readdir"};

/// Bits of the `flags` column.
enum EntryFlag : std::uint32_t {
  kLazy = 1,          ///< attributes were asked with AT_STATX_DONT_SYNC
  kSaturated = 2,     ///< a time did not fit int64 nanoseconds and was clamped
  kVanished = 4,      ///< gone between readdir and stat; no error
  kChanged = 8,       ///< another object stood under this name when it was opened
  kLoop = 16,         ///< an ancestor of itself; not entered
  kOtherMount = 32,   ///< on another mount than its directory
  kToDirectory = 64,  ///< a link that leads to a directory; told only of walks for which that was asked
};
inline constexpr std::array<std::string_view, 7> kEntryFlagNames{
    "lazy", "saturated", "vanished", "changed", "loop", "other_mount", "to_directory"};

/// Bits of a directory record's flags.
enum DirectoryFlag : std::uint8_t {
  kComplete = 1,           ///< read to the end
  kDirectoryVanished = 2,  ///< gone before it could be read; no error
};

}  // namespace pwalk::schema
