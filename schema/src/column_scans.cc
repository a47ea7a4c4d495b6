#include "column_scans.h"

// This file is compiled once per instruction set: Highway includes it again for each.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "column_scans.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace pwalk::schema {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Without a branch in the loop: a batch that is good, as nearly all are, is looked at to its end.
/// As long as no element is negative no difference of two overflows, and one that is negative comes
/// after a greater one, since the first is 0.
HWY_ATTR OffsetScan ScanOffsets(std::span<const std::int32_t> offsets) {
  const hn::ScalableTag<std::int32_t> d;
  const std::size_t lanes = hn::Lanes(d);
  auto least_step = hn::Set(d, 1), signs = hn::Zero(d);
  std::size_t at = 1;
  for (; at + lanes <= offsets.size(); at += lanes) {
    const auto here = hn::LoadU(d, offsets.data() + at);
    least_step = hn::Min(least_step, hn::Sub(here, hn::LoadU(d, offsets.data() + at - 1)));
    signs = hn::Or(signs, here);
  }
  const auto zero = hn::Zero(d);
  OffsetScan found{.descends = !hn::AllFalse(d, hn::Lt(hn::Min(least_step, signs), zero)),
                   .repeats = !hn::AllFalse(d, hn::Eq(least_step, zero))};
  for (; at < offsets.size(); ++at) {
    found.descends |= offsets[at - 1] > offsets[at];
    found.repeats |= offsets[at - 1] == offsets[at];
  }
  return found;
}

HWY_ATTR bool Descends(std::span<const std::int16_t> elements) {
  const hn::ScalableTag<std::int16_t> d;
  const std::size_t lanes = hn::Lanes(d);
  auto falls = hn::FirstN(d, 0);
  std::size_t at = 1;
  for (; at + lanes <= elements.size(); at += lanes)
    falls = hn::Or(falls, hn::Gt(hn::LoadU(d, elements.data() + at - 1), hn::LoadU(d, elements.data() + at)));
  bool found = !hn::AllFalse(d, falls);
  for (; at < elements.size(); ++at) found |= elements[at - 1] > elements[at];
  return found;
}

/// 0 where a byte is one of the two. The least of all is kept, and not masks of what is equal,
/// since there are more instructions per cycle for that.
template <class D, class V = hn::Vec<D>>
HWY_ATTR V distance_to_nul_or(D d, const std::uint8_t* from, V other) {
  const V here = hn::LoadU(d, from);
  return hn::Min(here, hn::Xor(here, other));
}

HWY_ATTR bool HoldsNulOr(char other, std::string_view bytes) {
  const hn::ScalableTag<std::uint8_t> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const auto wanted = hn::Set(d, std::uint8_t(other));
  auto first = hn::Set(d, std::uint8_t{0xff}), second = first, third = first, fourth = first;
  std::size_t at = 0;
  for (; at + 4 * lanes <= bytes.size(); at += 4 * lanes) {
    first = hn::Min(first, distance_to_nul_or(d, data + at, wanted));
    second = hn::Min(second, distance_to_nul_or(d, data + at + lanes, wanted));
    third = hn::Min(third, distance_to_nul_or(d, data + at + 2 * lanes, wanted));
    fourth = hn::Min(fourth, distance_to_nul_or(d, data + at + 3 * lanes, wanted));
  }
  for (; at + lanes <= bytes.size(); at += lanes) first = hn::Min(first, distance_to_nul_or(d, data + at, wanted));
  const auto least = hn::Min(hn::Min(first, second), hn::Min(third, fourth));
  bool found = !hn::AllFalse(d, hn::Eq(least, hn::Zero(d)));
  for (; at < bytes.size(); ++at) found |= bytes[at] == '\0' || bytes[at] == other;
  return found;
}

HWY_ATTR LetterScan ScanLetters(std::span<const std::uint8_t> bytes, std::string_view letters) {
  const hn::ScalableTag<std::uint8_t> d;
  const std::size_t lanes = hn::Lanes(d);
  LetterScan found;
  auto strange = hn::FirstN(d, 0);
  std::size_t at = 0;
  for (; at + lanes <= bytes.size(); at += lanes) {
    const auto here = hn::LoadU(d, bytes.data() + at);
    const auto zero = hn::Eq(here, hn::Zero(d));
    found.zeros += hn::CountTrue(d, zero);
    auto known = zero;
    for (const char letter : letters) known = hn::Or(known, hn::Eq(here, hn::Set(d, std::uint8_t(letter))));
    strange = hn::Or(strange, hn::Not(known));
  }
  found.unknown = !hn::AllFalse(d, strange);
  for (; at < bytes.size(); ++at) {
    found.zeros += bytes[at] == 0;
    found.unknown |= bytes[at] != 0 && letters.find(char(bytes[at])) == std::string_view::npos;
  }
  return found;
}

}  // namespace HWY_NAMESPACE
}  // namespace pwalk::schema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pwalk::schema {

HWY_EXPORT(ScanOffsets);
HWY_EXPORT(Descends);
HWY_EXPORT(HoldsNulOr);
HWY_EXPORT(ScanLetters);

OffsetScan scan_offsets(std::span<const std::int32_t> offsets) {
  return HWY_DYNAMIC_DISPATCH(ScanOffsets)(offsets);
}

bool descends(std::span<const std::int16_t> elements) { return HWY_DYNAMIC_DISPATCH(Descends)(elements); }

bool holds_nul_or(char other, std::string_view bytes) { return HWY_DYNAMIC_DISPATCH(HoldsNulOr)(other, bytes); }

LetterScan scan_letters(std::span<const std::uint8_t> bytes, std::string_view letters) {
  return HWY_DYNAMIC_DISPATCH(ScanLetters)(bytes, letters);
}

}  // namespace pwalk::schema
#endif
