#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "entry_batch_generated.h"
#include "pwalk/base/result.h"
#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::schema {

/// Looks at a batch in the order of FORMAT.md, "What a reader must check", and
/// fills a fresh view with what it has found good. Used once.
///
/// Every check returns whether all is well; the first that is not leaves its
/// Error behind. None trusts what an earlier one has not established.
class BatchChecker {
 public:
  /// `view` must outlive it.
  BatchChecker(std::span<const std::byte> bytes, EntryBatchView& view) : view_(view) { view_.bytes_ = bytes; }
  Result<void> run();

 private:
  bool check_address();
  bool check_structure();
  bool check_header();
  bool check_columns();
  bool check_column(const wire::ColumnData& column);
  bool check_nulls(const wire::ColumnData& column, ColumnView& view, std::string_view name);
  bool check_bitmap(std::span<const std::uint8_t> bitmap, std::uint32_t nulls, std::string_view name);
  bool check_null_values(const ColumnView& view, std::string_view name);
  bool check_texts();
  bool check_text(const wire::TextData& text);
  bool check_known_values();
  bool check_names();
  bool check_directory_table();
  bool check_prefix(std::size_t row);
  bool check_slashes(std::size_t row);
  bool check_directory_column();
  bool check_empty_names();
  bool check_records();

  /// Hands the elements of a vector to `into`, if it is aligned and has `count` of them.
  template <class T>
  bool take(const flatbuffers::Vector<T>* vector, std::size_t count, std::string_view name,
            std::span<const T>& into);
  bool take_bytes(const flatbuffers::Vector<std::uint8_t>* vector, std::string_view name,
                  std::string_view& into);
  /// That the offsets start with 0, never descend and end with `bytes`. Fills in `repeats`: whether one
  /// equals the one before it.
  bool check_offsets(std::span<const std::int32_t> offsets, std::size_t bytes, std::string_view name,
                     bool* repeats = nullptr);
  /// That they hold neither NUL nor `forbidden`.
  bool check_text_bytes(std::string_view bytes, std::string_view name, char forbidden = '\0');
  bool check_operations(std::span<const std::uint8_t> operations);

  bool refuse(int code, std::string what);
  /// EPROTO: "batch: <what> at offset <offset of place>".
  bool wrong(const std::string& what, const void* place);
  std::size_t offset_of(const void* place) const {
    return std::size_t(static_cast<const std::byte*>(place) - view_.bytes_.data());
  }

  EntryBatchView& view_;
  const wire::EntryBatch* batch_ = nullptr;
  bool some_name_is_empty_ = false;
  Error error_;
};

}  // namespace pwalk::schema
