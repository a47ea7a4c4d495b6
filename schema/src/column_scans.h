#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

/// The parts of a batch's check that look at every row, many rows per instruction. Each says
/// whether there is something to find; who has to say where looks again. Compiled for several
/// instruction sets; the best one that the processor has is chosen once. No library does it
/// for us, since whatever `pwalk run` loads into other people's programs would be loaded too.
/// Thread-safe.
namespace pwalk::schema {

/// What `type` may hold, besides 0 where it is null.
inline constexpr std::string_view kTypeLetters = "fdlbcps?";

struct OffsetScan {
  bool descends = false;  ///< some element is less than the one before it
  bool repeats = false;   ///< some element equals the one before it
};
struct LetterScan {
  bool unknown = false;   ///< some byte is neither 0 nor one of kTypeLetters
  std::size_t zeros = 0;  ///< bytes that are 0
};

/// Of one instruction set.
struct ColumnScans {
  const char* instruction_set;
  /// Requires that the first is 0.
  OffsetScan (*offsets)(std::span<const std::int32_t>);
  /// Is some element less than the one before it?
  bool (*descends)(std::span<const std::int16_t>);
  /// Is any byte NUL or `other`?
  bool (*nul_or)(char other, std::string_view bytes);
  LetterScan (*type_letters)(std::span<const std::uint8_t>);
};

/// Those that this processor has, the best one first; never empty.
std::span<const ColumnScans> usable_column_scans();
inline const ColumnScans& column_scans() { return usable_column_scans().front(); }

}  // namespace pwalk::schema
