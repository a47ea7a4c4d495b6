#include "arrow_text.h"

#include <limits>

#include "text/utf8.h"

namespace pwalk::bindings {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

/// U+FFFD for every byte that begins no valid sequence.
std::string mended(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = tools::decode_utf8(text).length;
    out += length ? text.substr(0, length) : kReplacement;
    text.remove_prefix(length ? length : 1);
  }
  return out;
}

}  // namespace

bool TextColumn::append(std::string_view text) {
  const bool fits_type = text_.type == ArrowText::Type::binary || tools::is_utf8(text);
  const bool replace = !fits_type && text_.misfit == ArrowText::Misfit::replace;
  const bool null = !fits_type && !replace;
  if (replace)
    bytes_ += mended(text);
  else if (!null)
    bytes_ += text;
  if (bytes_.size() > std::size_t(std::numeric_limits<std::int32_t>::max())) return false;
  offsets_.push_back(std::int32_t(bytes_.size()));
  if (!valid_.empty() || null) extend_validity(!null);
  return true;
}

// Called once the text's offset is there: it is row size() - 1.
void TextColumn::extend_validity(bool valid) {
  const auto row = std::size_t(size()) - 1;
  valid_.resize(row / 8 + 1, 0xff);  // rows before the first null are all valid
  if (valid) return;
  valid_[row / 8] &= std::uint8_t(~(1u << row % 8));
  ++nulls_;
}

}  // namespace pwalk::bindings
