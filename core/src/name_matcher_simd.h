#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The part of name matching that looks at many names per instruction. Compiled
/// for every instruction set Highway knows on this architecture; the best one the
/// processor has is chosen when first called (hwy/foreach_target.h).
namespace pwalk::simd {

/// A test of a name's ends and length. The bytes under the masks and the length
/// decide; see NameBlock for how the keys lie.
struct EndsTest {
  std::uint64_t head = 0, head_mask = 0;
  std::uint64_t tail = 0, tail_mask = 0;
  std::int64_t least = 0, most = 0;  ///< length, inclusive
};

/// What is known of many names, as parallel arrays; `count` a multiple of 64.
struct EndsColumns {
  const std::uint64_t* heads;
  const std::uint64_t* tails;
  const std::int64_t* lengths;
  std::size_t count;
};

/// Sets bit i of `hits` (count / 64 words, little end first) for every name that
/// passes any of `tests`; other bits stay.
void test_ends(const EndsColumns& names, std::span<const EndsTest> tests, std::uint64_t* hits);

/// Appends to `found` every offset in `bytes` at which `literal` (not empty) stands, ascending.
void find_literal(std::span<const char> bytes, std::string_view literal, std::vector<std::uint32_t>& found);

/// The instruction set in use: "AVX2".
std::string instruction_set();

}  // namespace pwalk::simd
