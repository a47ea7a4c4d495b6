#include "text/table.h"

#include <algorithm>

namespace pwalk::tools {
namespace {

constexpr std::size_t kGap = 2;

}  // namespace

std::size_t shown_width(std::string_view text) {
  return std::size_t(std::count_if(text.begin(), text.end(),
                                   [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

std::string Table::aligned() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], shown_width(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - shown_width(row[i]) + kGap, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string Table::separated_by_tabs() const {
  std::string text;
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) (text += row[i]) += i + 1 < row.size() ? '\t' : '\n';
  return text;
}

}  // namespace pwalk::tools
