#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arrow_schema.h"

namespace pwalk::bindings {

/// Text put together for Arrow: offsets (one more than there are texts), bytes, and a validity bitmap
/// once there is a null.
class TextColumn {
 public:
  explicit TextColumn(ArrowText text) : text_(text), offsets_{0} {}

  /// Adds one text: as it is if that is what the type allows, else mended or null. False when the
  /// whole would be longer than int32 offsets can say.
  bool append(std::string_view text);
  /// Adds one that is null in the batch already.
  void append_null() {
    offsets_.push_back(std::int32_t(bytes_.size()));
    extend_validity(false);
  }

  std::int64_t size() const { return std::int64_t(offsets_.size()) - 1; }
  std::int64_t null_count() const { return nulls_; }
  const std::int32_t* offsets() const { return offsets_.data(); }
  const char* bytes() const { return bytes_.data(); }
  /// Null when there is no null.
  const std::uint8_t* valid() const { return nulls_ ? valid_.data() : nullptr; }

 private:
  void extend_validity(bool valid);

  ArrowText text_;
  std::vector<std::int32_t> offsets_;
  std::string bytes_;
  std::vector<std::uint8_t> valid_;  ///< Arrow's bitmap; empty until the first null
  std::int64_t nulls_ = 0;
};

}  // namespace pwalk::bindings
