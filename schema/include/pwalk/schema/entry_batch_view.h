#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "pwalk/base/result.h"
#include "pwalk/schema/entry.h"

namespace pwalk::schema {

struct BatchContent;

/// One fixed-width column, pointing into the batch. Whether it is constant and
/// whether it has nulls are independent: where a row is null its value is 0.
struct ColumnView {
  const std::byte* values = nullptr;  ///< null: the batch lacks this column
  std::uint32_t width = 0;            ///< bytes per element
  bool constant = false;              ///< `values` holds one element that stands for every row
  std::uint32_t null_count = 0;
  const std::uint8_t* valid = nullptr;  ///< Arrow bitmap; null when null_count is 0

  explicit operator bool() const { return values != nullptr; }
  bool is_valid(std::uint32_t row) const { return !valid || (valid[row / 8] >> (row % 8) & 1); }
  /// Value of a row (0 where null), widened to T, which need not have the column's width.
  template <class T>
  T at(std::uint32_t row) const {
    const std::byte* from = values + (constant ? 0 : std::size_t(row) * width);
    switch (width) {
      case 1:
        return static_cast<T>(load<std::uint8_t>(from));
      case 4:
        return static_cast<T>(load<std::uint32_t>(from));
      default:
        return static_cast<T>(load<std::uint64_t>(from));
    }
  }

 private:
  template <class Stored>
  static Stored load(const std::byte* from) {
    Stored value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
};

/// One text column, pointing into the batch. A null row's text is empty.
struct TextView {
  std::span<const std::int32_t> offsets;  ///< rows + 1; empty: the batch lacks this column
  std::string_view bytes;
  std::uint32_t null_count = 0;
  const std::uint8_t* valid = nullptr;  ///< Arrow bitmap; null when null_count is 0

  explicit operator bool() const { return !offsets.empty(); }
  bool is_valid(std::uint32_t row) const { return !valid || (valid[row / 8] >> (row % 8) & 1); }
  std::string_view at(std::uint32_t row) const {
    const auto from = std::size_t(offsets[row]);
    return bytes.substr(from, std::size_t(offsets[row + 1]) - from);
  }
};

/// A directory record as it stands in a batch.
struct PlacedRecord {
  std::uint32_t directory = 0;  ///< row of the directory table
  DirectoryRecord record;
};

/// Read access to one batch. check() looks at every byte that later calls
/// trust, once; after it nothing here can read out of bounds as long as the
/// bytes do not change. Borrows the bytes; allocates nothing; const calls are
/// thread-safe.
class EntryBatchView {
 public:
  /// EPROTO with what is wrong and the offset; FORMAT.md lists all that is looked
  /// at. `bytes` must be 64-byte aligned (EINVAL otherwise).
  static Result<EntryBatchView> check(std::span<const std::byte> bytes);
  /// The same into `fresh`, a view that was made by default; it stays unusable if the batch is refused.
  /// A view is more than a kilobyte, and not copied this way.
  static Result<void> check_into(std::span<const std::byte> bytes, EntryBatchView& fresh);

  std::span<const std::byte> bytes() const { return bytes_; }
  std::uint32_t rows() const { return rows_; }
  ColumnSet columns() const { return columns_; }
  /// The same rows with these columns only: the others are as if never fetched
  /// (`directory` and `name` stay). For handing out; its rows no longer have the content hash.
  EntryBatchView limited_to(ColumnSet wanted) const;
  /// A fixed-width column.
  const ColumnView& column(Column column) const { return views_[std::size_t(column)]; }
  /// A text column.
  const TextView& text(Column column) const { return texts_[std::size_t(column) - kFirstText]; }

  std::span<const std::int32_t> name_offsets() const { return name_offsets_; }
  std::string_view name_bytes() const { return name_bytes_; }
  std::string_view name(std::uint32_t row) const {
    const auto from = std::size_t(name_offsets_[row]);
    return name_bytes_.substr(from, std::size_t(name_offsets_[row + 1]) - from);
  }

  /// Per row, the row of the directory table.
  std::span<const std::int16_t> directory_index() const { return directory_; }
  std::uint32_t directory_count() const { return std::uint32_t(directory_inode_.size()); }
  /// Length of a directory's path in bytes; 0 for `/`, whose path is stored empty.
  std::size_t directory_path_length(std::uint32_t directory) const {
    return shared_[directory] + suffix(directory).size();
  }
  /// Appends a directory's path. O(length + tree depth).
  void append_directory_path(std::uint32_t directory, std::string& out) const;
  std::uint64_t directory_inode(std::uint32_t directory) const { return directory_inode_[directory]; }

  /// directory + "/" + name.
  void append_path(std::uint32_t row, std::string& out) const;
  std::string path(std::uint32_t row) const;

  std::uint32_t record_count() const { return record_count_; }
  PlacedRecord record(std::uint32_t index) const;

  /// What the producer says the content hash is; compare with hash_rows().
  std::uint64_t content_hash() const { return content_hash_; }
  /// Sum of the sizes of the regular files (type 'f'), saturated; 0 without the columns.
  std::uint64_t file_bytes() const;

 private:
  friend class BatchChecker;
  friend std::uint64_t hash_rows(const EntryBatchView& batch);
  BatchContent content() const;
  std::string_view suffix(std::uint32_t directory) const {
    const auto from = std::size_t(suffix_offsets_[directory]);
    return suffix_bytes_.substr(from, std::size_t(suffix_offsets_[directory + 1]) - from);
  }

  std::span<const std::byte> bytes_;
  std::uint32_t rows_ = 0;
  ColumnSet columns_;
  ColumnView views_[kColumnCount];
  TextView texts_[kTextColumnCount];
  std::span<const std::int32_t> name_offsets_;
  std::string_view name_bytes_;
  std::span<const std::int16_t> directory_;
  std::span<const std::int32_t> prefix_;
  std::span<const std::uint32_t> shared_;
  std::span<const std::int32_t> suffix_offsets_;
  std::string_view suffix_bytes_;
  std::span<const std::uint64_t> directory_inode_;
  std::uint32_t record_count_ = 0;
  std::span<const std::int16_t> record_directory_;
  std::span<const std::uint64_t> record_entries_, record_bytes_;
  std::span<const std::uint8_t> record_flags_, record_operation_;
  std::span<const std::uint32_t> record_error_;
  std::uint64_t content_hash_ = 0;
};

/// Rows and directory records with an errno.
std::uint64_t count_errors(const EntryBatchView& batch);

}  // namespace pwalk::schema
