#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pwalk::tools {

/// Insertions, deletions, replacements and swaps of neighbours that lead from
/// one word to the other (optimal string alignment).
std::size_t edit_distance(std::string_view from, std::string_view to);

/// The word somebody who typed `typed` most likely meant: the only one that it
/// begins, else the nearest within a third of its length. nullopt: none is near.
std::optional<std::string> nearest_word(std::string_view typed, const std::vector<std::string>& words);

}  // namespace pwalk::tools
