#pragma once

#include <string>
#include <vector>

namespace pwalk::tools {

/// Rows of cells for people: aligned on a terminal, separated by tabs in a pipe.
/// Cells must be safe to show.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string aligned() const;
  std::string separated_by_tabs() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// Columns a terminal needs for a text, counting code points.
std::size_t shown_width(std::string_view text);

}  // namespace pwalk::tools
