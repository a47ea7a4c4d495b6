#pragma once

#include <cstdint>
#include <string_view>

#include "pwalk/schema/entry_batch_view.h"

namespace pwalk {

/// One row of an image. Two words, borrowed from the ResultsFilesystem (or one of
/// its copies) that gave it out. Const calls are thread-safe.
class EntryRef {
 public:
  EntryRef() = default;
  EntryRef(const schema::EntryBatchView& batch, std::uint32_t row) : batch_(&batch), row_(row) {}

  explicit operator bool() const { return batch_ != nullptr; }
  const schema::EntryBatchView& batch() const { return *batch_; }
  std::uint32_t row() const { return row_; }

  std::string_view name() const { return batch_->name(row_); }
  /// The column was fetched and its value is known for this row.
  bool has(schema::Column column) const {
    if (schema::is_text(column)) return batch_->text(column) && batch_->text(column).is_valid(row_);
    const schema::ColumnView& view = batch_->column(column);
    return view && view.is_valid(row_);
  }
  /// 0 where the column was not fetched or the value is not known.
  template <class T>
  T get(schema::Column column) const {
    const schema::ColumnView& view = batch_->column(column);
    return view ? view.at<T>(row_) : T{};
  }
  /// Of a text column: likewise empty. Borrowed from the image.
  std::string_view text(schema::Column column) const {
    const schema::TextView& view = batch_->text(column);
    return view ? view.at(row_) : std::string_view();
  }
  char type() const {
    const auto& view = batch_->column(schema::Column::type);
    return view ? view.at<char>(row_) : '?';
  }
  bool is_directory() const { return type() == 'd'; }
  /// A link of which the scan says so.
  bool leads_to_directory() const { return (flags() & schema::kToDirectory) != 0; }
  std::uint32_t error() const { return get<std::uint32_t>(schema::Column::error); }
  std::uint32_t flags() const { return get<std::uint32_t>(schema::Column::flags); }
  /// Every column at once; `known` says which values mean something.
  schema::Entry load() const;

 private:
  const schema::EntryBatchView* batch_ = nullptr;
  std::uint32_t row_ = 0;
};

}  // namespace pwalk
