#include "column_scans.h"

#include <algorithm>

namespace pwalk::schema {
namespace {

// Loops without a branch, which the compiler makes vector instructions of: a batch that is good,
// as nearly all are, is looked at to its end. Inlined into a function per instruction set.
#define PWALK_INLINED [[gnu::always_inline]] inline

/// As long as no element is negative no difference of two overflows, and one that is negative comes
/// after a greater one, since the first is 0.
PWALK_INLINED OffsetScan scan_offsets(std::span<const std::int32_t> offsets) {
  const std::int32_t* elements = offsets.data();
  std::int32_t least_step = 1, signs = 0;
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    const auto step = std::int32_t(std::uint32_t(elements[i]) - std::uint32_t(elements[i - 1]));
    least_step = std::min(least_step, step);
    signs |= elements[i];
  }
  const bool descends = least_step < 0 || signs < 0;
  bool repeats = least_step == 0;
  for (std::size_t i = 1; descends && !repeats && i < offsets.size(); ++i)
    repeats = elements[i] == elements[i - 1];
  return {.descends = descends, .repeats = repeats};
}

PWALK_INLINED bool scan_descends(std::span<const std::int16_t> elements) {
  const std::int16_t* data = elements.data();
  std::int16_t falls = 0;
  for (std::size_t i = 1; i < elements.size(); ++i)
    falls = std::int16_t(falls | std::int16_t(data[i - 1] > data[i]));
  return falls != 0;
}

/// The least of all distances is 0 if there is one.
PWALK_INLINED bool scan_nul_or(char other, std::string_view bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  std::uint8_t least = 0xff;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    least = std::min(least, std::min(data[i], std::uint8_t(data[i] ^ std::uint8_t(other))));
  return least == 0;
}

PWALK_INLINED LetterScan scan_type_letters(std::span<const std::uint8_t> bytes) {
  static_assert(kTypeLetters.size() == 8);
  const std::uint8_t* data = bytes.data();
  std::uint8_t known = 1;
  std::uint32_t zeros = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint8_t byte = data[i];
    const auto is = [&](std::size_t letter) {
      return std::uint8_t(byte == std::uint8_t(kTypeLetters[letter]));
    };
    const auto zero = std::uint8_t(byte == 0);
    zeros += zero;
    known &= std::uint8_t(zero | is(0) | is(1) | is(2) | is(3) | is(4) | is(5) | is(6) | is(7));
  }
  return {.unknown = known == 0, .zeros = zeros};
}

// An attribute cannot stand in parentheses. NOLINTBEGIN(bugprone-macro-parentheses)
#define PWALK_SCANS_FOR(NAME, TARGET)                                      \
  namespace NAME {                                                         \
  TARGET OffsetScan offsets(std::span<const std::int32_t> elements) {      \
    return scan_offsets(elements);                                         \
  }                                                                        \
  TARGET bool descends(std::span<const std::int16_t> elements) {           \
    return scan_descends(elements);                                        \
  }                                                                        \
  TARGET bool nul_or(char other, std::string_view bytes) {                 \
    return scan_nul_or(other, bytes);                                      \
  }                                                                        \
  TARGET LetterScan letters(std::span<const std::uint8_t> bytes) {         \
    return scan_type_letters(bytes);                                       \
  }                                                                        \
  constexpr ColumnScans kScans{#NAME, offsets, descends, nul_or, letters}; \
  }
// NOLINTEND(bugprone-macro-parentheses)

PWALK_SCANS_FOR(baseline, )
#if defined(__x86_64__)
PWALK_SCANS_FOR(avx2, [[gnu::target("avx2")]])
PWALK_SCANS_FOR(avx512, [[gnu::target("avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512")]])
constexpr ColumnScans kAll[] = {avx512::kScans, avx2::kScans, baseline::kScans};

/// How many of the first the processor does not have.
std::size_t missing() {
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return wide ? 0 : __builtin_cpu_supports("avx2") ? 1 : 2;
}
#else
constexpr ColumnScans kAll[] = {baseline::kScans};
std::size_t missing() {
  return 0;
}
#endif

}  // namespace

std::span<const ColumnScans> usable_column_scans() {
  static const auto usable = std::span<const ColumnScans>(kAll).subspan(missing());
  return usable;
}

}  // namespace pwalk::schema
