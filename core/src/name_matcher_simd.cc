#include "name_matcher_simd.h"

#include <algorithm>
#include <cstring>

// This file is compiled once per instruction set: Highway includes it again for each.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "name_matcher_simd.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace pwalk::simd {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Keys = hn::CappedTag<std::uint64_t, 64>;
using Lengths = hn::RebindToSigned<Keys>;

/// One instruction's worth of names against every test; a bit per name.
HWY_ATTR std::uint64_t hits_of_lanes(const EndsColumns& names, std::size_t at,
                                     std::span<const EndsTest> tests) {
  const Keys keys;
  const Lengths lengths;
  const auto head = hn::LoadU(keys, names.heads + at);
  const auto tail = hn::LoadU(keys, names.tails + at);
  const auto length = hn::LoadU(lengths, names.lengths + at);
  auto passed = hn::FirstN(keys, 0);
  for (const EndsTest& test : tests) {
    const auto head_differs = hn::And(hn::Xor(head, hn::Set(keys, test.head)), hn::Set(keys, test.head_mask));
    const auto tail_differs = hn::And(hn::Xor(tail, hn::Set(keys, test.tail)), hn::Set(keys, test.tail_mask));
    const auto same = hn::Eq(hn::Or(head_differs, tail_differs), hn::Zero(keys));
    const auto misfits =
        hn::Or(hn::Lt(length, hn::Set(lengths, test.least)), hn::Gt(length, hn::Set(lengths, test.most)));
    passed = hn::Or(passed, hn::AndNot(hn::RebindMask(keys, misfits), same));
  }
  std::uint8_t bits[8] = {};
  hn::StoreMaskBits(keys, passed, bits);
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < (hn::Lanes(keys) + 7) / 8; ++i) word |= std::uint64_t{bits[i]} << 8 * i;
  return word;
}

HWY_ATTR void TestEnds(const EndsColumns& names, std::span<const EndsTest> tests, std::uint64_t* hits) {
  const std::size_t lanes = hn::Lanes(Keys());
  for (std::size_t at = 0; at < names.count; at += lanes)
    hits[at / 64] |= hits_of_lanes(names, at, tests) << at % 64;
}

/// Candidates are where the first and the last byte stand at their distance; the
/// bytes between are compared one candidate at a time.
HWY_ATTR void FindLiteral(std::span<const char> bytes, std::string_view literal,
                          std::vector<std::uint32_t>& found) {
  if (bytes.size() < literal.size()) return;
  const hn::ScalableTag<std::uint8_t> d;
  const std::size_t lanes = hn::Lanes(d), places = bytes.size() - literal.size() + 1;
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const auto first = hn::Set(d, std::uint8_t(literal.front()));
  const auto last = hn::Set(d, std::uint8_t(literal.back()));
  const auto verify = [&](std::size_t at) {
    if (std::memcmp(data + at, literal.data(), literal.size()) == 0) found.push_back(std::uint32_t(at));
  };
  std::size_t at = 0;
  for (; at + lanes <= places; at += lanes) {
    const auto candidates = hn::And(hn::Eq(hn::LoadU(d, data + at), first),
                                    hn::Eq(hn::LoadU(d, data + at + literal.size() - 1), last));
    if (hn::AllFalse(d, candidates)) continue;
    HWY_ALIGN std::uint8_t bits[HWY_MAX_BYTES / 8 + 8] = {};
    const std::size_t size = hn::StoreMaskBits(d, candidates, bits);
    for (std::size_t i = 0; i < size; ++i)
      for (unsigned left = bits[i]; left != 0; left &= left - 1)
        verify(at + 8 * i + unsigned(__builtin_ctz(left)));
  }
  for (; at < places; ++at) verify(at);
}

}  // namespace HWY_NAMESPACE
}  // namespace pwalk::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pwalk::simd {

HWY_EXPORT(TestEnds);
HWY_EXPORT(FindLiteral);

void test_ends(const EndsColumns& names, std::span<const EndsTest> tests, std::uint64_t* hits) {
  HWY_DYNAMIC_DISPATCH(TestEnds)(names, tests, hits);
}

void find_literal(std::span<const char> bytes, std::string_view literal, std::vector<std::uint32_t>& found) {
  HWY_DYNAMIC_DISPATCH(FindLiteral)(bytes, literal, found);
}

std::string instruction_set() {
  const std::int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(usable & -usable);  // the best one has the lowest bit
}

}  // namespace pwalk::simd
#endif
