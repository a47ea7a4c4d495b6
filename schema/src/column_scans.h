#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

/// The parts of a batch's check that look at every row, many rows per instruction. Each says
/// whether there is something to find; who has to say where looks again. Compiled for every
/// instruction set Highway knows on this architecture; the best one the processor has is
/// chosen when first called (hwy/foreach_target.h). Thread-safe.
namespace pwalk::schema {

struct OffsetScan {
  bool descends = false;  ///< some element is less than the one before it
  bool repeats = false;   ///< some element equals the one before it
};
/// Requires that the first is 0.
OffsetScan scan_offsets(std::span<const std::int32_t> offsets);

/// Is some element less than the one before it?
bool descends(std::span<const std::int16_t> elements);

/// Is any byte NUL or `other`?
bool holds_nul_or(char other, std::string_view bytes);

struct LetterScan {
  bool unknown = false;   ///< some byte is neither 0 nor one of the letters
  std::size_t zeros = 0;  ///< bytes that are 0
};
LetterScan scan_letters(std::span<const std::uint8_t> bytes, std::string_view letters);

}  // namespace pwalk::schema
