#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::schema {

/// One text column of the rows appended so far.
class TextRows {
 public:
  TextRows() { offsets_.push_back(0); }

  /// The next row's; without a value it is null.
  void append(std::string_view text, bool known) {
    if (known)
      bytes_.append(text);
    else
      nulls_.push_back(std::uint32_t(offsets_.size() - 1));
    offsets_.push_back(std::int32_t(bytes_.size()));
  }
  std::size_t bytes() const { return bytes_.size(); }
  bool has_nulls() const { return !nulls_.empty(); }

  /// Of `rows` rows, bitmap included. Valid until the next append or clear.
  TextView view(std::uint32_t rows) {
    TextView view{offsets_, bytes_, std::uint32_t(nulls_.size()), nullptr};
    if (nulls_.empty()) return view;
    bitmap_.assign((rows + 7) / 8, 0xff);
    if (rows % 8 != 0) bitmap_.back() = std::uint8_t((1U << rows % 8) - 1);
    for (const std::uint32_t row : nulls_) bitmap_[row / 8] &= std::uint8_t(~(1U << row % 8));
    view.valid = bitmap_.data();
    return view;
  }
  void clear() {
    offsets_.resize(1);
    bytes_.clear();
    nulls_.clear();
  }

 private:
  std::vector<std::int32_t> offsets_;
  std::string bytes_;
  std::vector<std::uint32_t> nulls_;
  std::vector<std::uint8_t> bitmap_;
};

}  // namespace pwalk::schema
