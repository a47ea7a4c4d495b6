#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "glob.h"
#include "name_block.h"
#include "name_matcher_simd.h"

namespace pwalk {

/// A list of globs on names, asked of one name or of all names of a directory
/// buffer at once. Immutable once made; any thread may ask.
///
/// Each glob goes the cheapest way that decides it:
///   ends      what stands in the first and last eight bytes and the length decides
///             (`*.bam`, `tmp*`, `core`, `a?c*.gz`), for many names per instruction;
///   table     exact names, when there are more than a few: one probe per name;
///   word      `*word*`: one pass over the buffer's bytes, names only where it hits; so too
///             `*a[0-9]word*`, where Glob::matches() then has the last word;
///   verified  anything else: the ends rule out most names, Glob::matches() decides the rest.
class NameMatcher {
 public:
  NameMatcher() = default;  ///< of no globs: nothing matches

  /// None of them may be for paths.
  explicit NameMatcher(std::vector<Glob> globs);

  bool empty() const { return size_ == 0; }

  /// Does any of the globs match?
  bool matches(std::string_view name) const;

  /// The same for every name of `block`: bit i % 64 of hits[i / 64]. `hits` is resized and overwritten.
  void match(const NameBlock& block, std::vector<std::uint64_t>& hits) const;

  /// How many globs go which way: "2 by their ends, ... (AVX2)".
  std::string explain() const;

 private:
  struct Word {
    std::string bytes;         ///< stands in every name that matches
    std::optional<Glob> glob;  ///< none: and that is enough
    bool admits(std::string_view name) const { return !glob || glob->matches(name); }
  };
  struct Verified {
    simd::EndsTest ends;
    Glob glob;
  };
  /// Open addressing over exact names; empty when there are few.
  class ExactNames {
   public:
    void build(std::vector<std::string> names);
    bool empty() const { return names_.empty(); }
    std::size_t size() const { return names_.size(); }
    bool has(std::uint64_t head, std::uint64_t tail, std::string_view name) const;

   private:
    std::vector<std::string> names_;
    std::vector<std::uint32_t> slots_;  ///< number of the name + 1, or 0
  };

  void file(Glob glob);
  void match_words(const NameBlock& block, std::vector<std::uint64_t>& hits) const;
  void match_verified(const NameBlock& block, std::vector<std::uint64_t>& hits) const;

  std::size_t size_ = 0;
  std::vector<simd::EndsTest> ends_;
  std::vector<Word> words_;
  std::vector<Verified> verified_;
  ExactNames exact_;
};

}  // namespace pwalk
