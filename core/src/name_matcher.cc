#include "name_matcher.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

namespace pwalk {
namespace {

using Kind = Glob::Kind;
using Run = std::span<const Glob::Token>;

/// Above this many exact names one probe of a table is cheaper than a test each
/// (bench/name_matcher_bench.cc).
constexpr std::size_t kFewExactNames = 8;

constexpr std::int64_t kAnyLength = std::numeric_limits<std::int64_t>::max();

/// What stands between the stars of a glob: `abc` is one run, `*.c` an empty one
/// and one of two. Each token of a run stands for one byte. Views of the glob's tokens.
struct Shape {
  explicit Shape(const Glob& of) : glob(of) {
    const auto is_star = [](const Glob::Token& token) { return token.kind >= Kind::star; };
    const Run tokens = glob.tokens();
    for (auto from = tokens.begin();;) {
      const auto to = std::find_if(from, tokens.end(), is_star);
      runs.emplace_back(from, to);
      if (to == tokens.end()) break;
      from = to + 1;
    }
  }

  bool has_star() const { return runs.size() > 1; }
  std::int64_t least_length() const {
    return std::accumulate(runs.begin(), runs.end(), std::int64_t{0},
                           [](std::int64_t sum, const Run& run) { return sum + std::int64_t(run.size()); });
  }
  /// Every byte of the run is given, or free.
  bool is_plain(const Run& run) const {
    return std::all_of(run.begin(), run.end(), [this](const Glob::Token& token) {
      return token.kind == Kind::byte || glob.accepts_any(token);
    });
  }

  const Glob& glob;
  std::vector<Run> runs;
};

/// The run's bytes, if all are given.
std::optional<std::string> literal_of(const Run& run) {
  std::string bytes;
  for (const Glob::Token& token : run) {
    if (token.kind != Kind::byte) return std::nullopt;
    bytes += char(token.byte);
  }
  return bytes;
}

/// The only name that the glob admits, if it is of that kind.
std::optional<std::string> exact_name(const Glob& glob) {
  const Shape shape(glob);
  return shape.has_star() ? std::nullopt : literal_of(shape.runs.front());
}

/// The longest row of given bytes in the glob.
std::string longest_word(const Shape& shape) {
  std::string longest, row;
  for (const Glob::Token& token : shape.glob.tokens()) {
    if (token.kind == Kind::byte) {
      row += char(token.byte);
    } else {
      row.clear();
    }
    if (row.size() > longest.size()) longest = row;
  }
  return longest;
}

/// `*word*` and nothing else.
bool word_decides(const Shape& shape) {
  const auto& runs = shape.runs;
  return runs.size() == 3 && runs[0].empty() && !runs[1].empty() && runs[2].empty() && literal_of(runs[1]);
}

struct Key {
  std::uint64_t value = 0, mask = 0;
  void put(std::size_t place, const Glob::Token& token) {
    if (token.kind != Kind::byte) return;
    value |= std::uint64_t{token.byte} << 8 * place;
    mask |= std::uint64_t{0xFF} << 8 * place;
  }
};

Key head_of(const Run& run) {
  Key key;
  for (std::size_t i = 0; i < std::min(run.size(), kKeyBytes); ++i) key.put(i, run[i]);
  return key;
}

Key tail_of(const Run& run) {
  Key key;
  for (std::size_t i = 0; i < std::min(run.size(), kKeyBytes); ++i)
    key.put(kKeyBytes - 1 - i, run[run.size() - 1 - i]);
  return key;
}

/// What must hold of a name's ends and length for the glob to match.
simd::EndsTest ends_of(const Shape& shape) {
  const Key head = head_of(shape.runs.front()), tail = tail_of(shape.runs.back());
  const std::int64_t least = shape.least_length();
  return {head.value, head.mask, tail.value, tail.mask, least, shape.has_star() ? kAnyLength : least};
}

/// Does ends_of() not only have to hold but also suffice?
bool ends_decide(const Shape& shape) {
  const Run &first = shape.runs.front(), &last = shape.runs.back();
  if (!shape.is_plain(first) || !shape.is_plain(last)) return false;
  if (!shape.has_star()) return first.size() <= 2 * kKeyBytes;
  const bool all_at_ends = std::size_t(shape.least_length()) == first.size() + last.size();
  return all_at_ends && first.size() <= kKeyBytes && last.size() <= kKeyBytes;
}

std::uint64_t hash_of(std::uint64_t head, std::uint64_t tail, std::size_t length) {
  const std::uint64_t mixed = (head ^ std::rotl(tail, 29) ^ length) * 0x9E3779B97F4A7C15u;
  return mixed ^ mixed >> 32;
}

void set_bit(std::vector<std::uint64_t>& bits, std::size_t i) {
  bits[i / 64] |= std::uint64_t{1} << i % 64;
}
bool has_bit(const std::vector<std::uint64_t>& bits, std::size_t i) {
  return bits[i / 64] >> i % 64 & 1;
}

simd::EndsColumns columns_of(const NameBlock& block) {
  const std::size_t used = (block.size() + NameBlock::kStride - 1) / NameBlock::kStride * NameBlock::kStride;
  return {block.heads(), block.tails(), block.lengths(), used};
}

/// Calls visit(i) for every set bit.
template <class Visit>
void for_each_bit(const std::vector<std::uint64_t>& bits, Visit&& visit) {
  for (std::size_t word = 0; word < bits.size(); ++word)
    for (std::uint64_t left = bits[word]; left != 0; left &= left - 1)
      visit(word * 64 + std::size_t(std::countr_zero(left)));
}

}  // namespace

void NameMatcher::ExactNames::build(std::vector<std::string> names) {
  names_ = std::move(names);
  slots_.assign(std::bit_ceil(names_.size() * 4), 0);
  for (std::size_t i = 0; i < names_.size(); ++i) {
    std::size_t at = hash_of(head_key(names_[i]), tail_key(names_[i]), names_[i].size());
    while (slots_[at & (slots_.size() - 1)] != 0) ++at;
    slots_[at & (slots_.size() - 1)] = std::uint32_t(i + 1);
  }
}

bool NameMatcher::ExactNames::has(std::uint64_t head, std::uint64_t tail, std::string_view name) const {
  for (std::size_t at = hash_of(head, tail, name.size());; ++at) {
    const std::uint32_t slot = slots_[at & (slots_.size() - 1)];
    if (slot == 0) return false;
    if (names_[slot - 1] == name) return true;
  }
}

NameMatcher::NameMatcher(std::vector<Glob> globs) : size_(globs.size()) {
  const auto exact =
      std::stable_partition(globs.begin(), globs.end(), [](const Glob& glob) { return !exact_name(glob); });
  if (std::size_t(globs.end() - exact) > kFewExactNames) {
    std::vector<std::string> names;
    std::transform(exact, globs.end(), std::back_inserter(names),
                   [](const Glob& glob) { return *exact_name(glob); });
    exact_.build(std::move(names));
    globs.erase(exact, globs.end());
  }
  for (Glob& glob : globs) file(std::move(glob));
}

void NameMatcher::file(Glob glob) {
  const Shape shape(glob);
  const simd::EndsTest ends = ends_of(shape);
  if (ends_decide(shape)) return ends_.push_back(ends);
  std::string word = longest_word(shape);
  if (word_decides(shape)) return words_.push_back({std::move(word), std::nullopt});
  const bool ends_say_nothing = (ends.head_mask | ends.tail_mask) == 0;
  if (ends_say_nothing && word.size() > 1) return words_.push_back({std::move(word), std::move(glob)});
  verified_.push_back({ends, std::move(glob)});
}

bool NameMatcher::matches(std::string_view name) const {
  const std::uint64_t head = head_key(name), tail = tail_key(name);
  const auto passes = [&](const simd::EndsTest& test) {
    return (head & test.head_mask) == test.head && (tail & test.tail_mask) == test.tail &&
           std::int64_t(name.size()) >= test.least && std::int64_t(name.size()) <= test.most;
  };
  return std::any_of(ends_.begin(), ends_.end(), passes) ||
         (!exact_.empty() && exact_.has(head, tail, name)) ||
         std::any_of(words_.begin(), words_.end(),
                     [&](const Word& word) {
                       return name.find(word.bytes) != std::string_view::npos && word.admits(name);
                     }) ||
         std::any_of(verified_.begin(), verified_.end(), [&](const Verified& verified) {
           return passes(verified.ends) && verified.glob.matches(name);
         });
}

void NameMatcher::match(const NameBlock& block, std::vector<std::uint64_t>& hits) const {
  const simd::EndsColumns names = columns_of(block);
  hits.assign(names.count / 64, 0);
  if (!ends_.empty()) simd::test_ends(names, ends_, hits.data());
  if (!exact_.empty()) {
    for (std::size_t i = 0; i < block.size(); ++i)
      if (exact_.has(names.heads[i], names.tails[i], block.name(i))) set_bit(hits, i);
  }
  match_words(block, hits);
  match_verified(block, hits);
}

/// Both the places found and the names ascend, so each is passed once.
void NameMatcher::match_words(const NameBlock& block, std::vector<std::uint64_t>& hits) const {
  std::vector<std::uint32_t> found;
  for (const Word& word : words_) {
    found.clear();
    simd::find_literal(block.bytes(), word.bytes, found);
    std::size_t i = 0;
    for (const std::uint32_t at : found) {
      while (i < block.size() && block.begin(i) + block.name(i).size() < at + word.bytes.size()) ++i;
      if (i == block.size()) break;
      if (block.begin(i) > at) continue;
      if (!has_bit(hits, i) && word.admits(block.name(i))) set_bit(hits, i);
      ++i;
    }
  }
}

void NameMatcher::match_verified(const NameBlock& block, std::vector<std::uint64_t>& hits) const {
  const simd::EndsColumns names = columns_of(block);
  std::vector<std::uint64_t> candidates;
  for (const Verified& verified : verified_) {
    candidates.assign(names.count / 64, 0);
    simd::test_ends(names, {&verified.ends, 1}, candidates.data());
    for_each_bit(candidates, [&](std::size_t i) {
      if (!has_bit(hits, i) && verified.glob.matches(block.name(i))) set_bit(hits, i);
    });
  }
}

std::string NameMatcher::explain() const {
  return std::to_string(ends_.size()) + " by their ends, " + std::to_string(exact_.size()) + " by table, " +
         std::to_string(words_.size()) + " by a word in them, " + std::to_string(verified_.size()) +
         " byte by byte (" + simd::instruction_set() + ")";
}

}  // namespace pwalk
