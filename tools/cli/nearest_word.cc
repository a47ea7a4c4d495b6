#include "cli/nearest_word.h"

#include <algorithm>

namespace pwalk::tools {

std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> before(to.size() + 1), above(to.size() + 1), row(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const bool same = from[i - 1] == to[j - 1];
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[to.size()];
}

std::optional<std::string> nearest_word(std::string_view typed, const std::vector<std::string>& words) {
  if (typed.size() < 2) return std::nullopt;
  const auto begun = [&](const std::string& word) { return word.compare(0, typed.size(), typed) == 0; };
  if (std::count_if(words.begin(), words.end(), begun) == 1)
    return *std::find_if(words.begin(), words.end(), begun);

  std::size_t best = (typed.size() + 2) / 3 + 1;
  std::optional<std::string> nearest;
  for (const std::string& word : words) {
    const std::size_t distance = edit_distance(typed, word);
    if (distance >= best) continue;
    best = distance;
    nearest = word;
  }
  return nearest;
}

}  // namespace pwalk::tools
