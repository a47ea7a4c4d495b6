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
/// fills a view with what it has found good. Used once.
class BatchChecker {
 public:
  explicit BatchChecker(std::span<const std::byte> bytes) { view_.bytes_ = bytes; }
  Result<EntryBatchView> run();

 private:
  Result<void> check_address();
  Result<void> check_structure();
  Result<void> check_header();
  Result<void> check_columns();
  Result<void> check_column(const wire::ColumnData& column);
  Result<void> check_validity(const wire::ColumnData& column, ColumnView& view, const std::string& name);
  Result<void> check_null_values(const ColumnView& view, const std::string& name) const;
  Result<void> check_known_values();
  Result<void> check_names();
  Result<void> check_directory_table();
  Result<void> check_prefix(std::size_t row) const;
  Result<void> check_slashes(std::size_t row) const;
  Result<void> check_directory_column();
  Result<void> check_empty_names();
  Result<void> check_records();

  /// The elements of a vector, if it is aligned and has `count` of them.
  template <class T>
  Result<std::span<const T>> elements(const flatbuffers::Vector<T>* vector, std::size_t count,
                                      std::string_view name) const;
  /// That the offsets start with 0, never descend and end with `bytes`.
  Result<void> check_offsets(std::span<const std::int32_t> offsets, std::size_t bytes,
                             std::string_view name) const;
  Result<void> check_absent(char byte, std::string_view bytes, std::string_view name) const;

  std::size_t offset_of(const void* place) const {
    return std::size_t(static_cast<const std::byte*>(place) - view_.bytes_.data());
  }
  /// EPROTO: "batch: <what> at offset <offset of place>".
  tl::unexpected<Error> wrong(const std::string& what, const void* place) const;

  EntryBatchView view_;
  const wire::EntryBatch* batch_ = nullptr;
};

}  // namespace pwalk::schema
