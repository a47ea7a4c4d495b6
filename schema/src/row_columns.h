#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "entry_fields.h"
#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::schema {

/// The fixed-width columns of the rows appended so far, one array each, and what
/// is known of them: which still have one value for all rows, which have nulls.
class RowColumns {
 public:
  /// Text columns are left to others.
  RowColumns(ColumnSet columns, std::uint32_t capacity);

  ColumnSet columns() const { return columns_; }
  ColumnSet varying() const { return varying_; }  ///< columns with more than one value
  ColumnSet with_nulls() const { return with_nulls_; }

  /// Columns that have one value so far and would have two with this row.
  ColumnSet made_varying_by(const Entry& entry) const {
    return changes_a_constant(entry) ? compare_with_first(entry) : ColumnSet{};
  }

  /// Stores row `row`, the next one. `missing` are columns() that the entry does
  /// not know; their members in `entry` are 0.
  void store(std::uint32_t row, const Entry& entry, ColumnSet missing, ColumnSet made_varying);

  /// The columns of `rows` rows, bitmaps included. Valid until the next store or clear.
  std::array<ColumnView, kColumnCount> views(std::uint32_t rows);

  void clear();

 private:
  // The members of Entry that feed columns lie together at its end; comparing them
  // word by word with the first row's, under a mask that is zero where a column
  // varies already (or is padding), takes less time than looking at 19 members.
  static constexpr std::size_t kFirstFieldByte = offsetof(Entry, type);
  static constexpr std::size_t kWords = (sizeof(Entry) - kFirstFieldByte) / 8;
  static_assert(kFirstFieldByte % 8 == 0 && sizeof(Entry) % 8 == 0);
  using Words = std::array<std::uint64_t, kWords>;

  struct Null {
    std::uint32_t row;
    ColumnSet columns;
  };

  static Words words_of(const Entry& entry);
  bool changes_a_constant(const Entry& entry) const;
  ColumnSet compare_with_first(const Entry& entry) const;
  void start_with(const Entry& entry);
  void mask(ColumnSet columns, std::uint8_t byte);
  const std::uint8_t* bitmap_of(Column column, std::uint32_t rows, std::uint32_t& null_count);

  ColumnSet columns_, varying_, with_nulls_;
  bool has_opt_in_;
  std::unique_ptr<std::byte[]> memory_;
  std::array<std::byte*, kColumnCount> values_;
  Entry first_;
  Words first_words_{}, constant_mask_{};
  std::vector<Null> nulls_;
  std::array<std::vector<std::uint8_t>, kColumnCount> bitmaps_;
};

inline RowColumns::Words RowColumns::words_of(const Entry& entry) {
  Words words;
  std::memcpy(words.data(), reinterpret_cast<const std::byte*>(&entry) + kFirstFieldByte, sizeof words);
  return words;
}

inline bool RowColumns::changes_a_constant(const Entry& entry) const {
  const auto* bytes = reinterpret_cast<const std::byte*>(&entry) + kFirstFieldByte;
  const auto difference = [&](std::size_t i) {
    std::uint64_t word;
    std::memcpy(&word, bytes + i * 8, 8);
    return (word ^ first_words_[i]) & constant_mask_[i];
  };
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return (difference(I) | ...) != 0;
  }
  (std::make_index_sequence<kWords>{});
}

inline void RowColumns::store(std::uint32_t row, const Entry& entry, ColumnSet missing,
                              ColumnSet made_varying) {
  if (row == 0) start_with(entry);
  const auto put = [&](auto column, auto member) {
    using Field = FieldType<column>;
    static_assert(sizeof(Field) == width_of(kColumns[column].element));
    std::memcpy(values_[column] + row * sizeof(Field), &(entry.*member), sizeof(Field));
  };
  for_fields_between<0, std::size_t(kFirstOptIn)>(put);
  if (has_opt_in_) for_fields_between<std::size_t(kFirstOptIn), kColumnCount>(put);
  if (!made_varying.empty()) {
    varying_ = varying_ | made_varying;
    mask(made_varying, 0);
  }
  if (!missing.empty()) {
    with_nulls_ = with_nulls_ | missing;
    nulls_.push_back({row, missing});
  }
}

}  // namespace pwalk::schema
