#pragma once

#include <cstddef>
#include <string_view>

namespace pwalk::tools {

/// One step through bytes that may or may not be UTF-8.
struct Utf8Step {
  char32_t code_point = 0;
  std::size_t length = 0;  ///< bytes; 0: the byte at the front begins no valid sequence
};

/// Decodes the front of `bytes` as RFC 3629 has it: no overlong forms, no
/// surrogates, nothing above U+10FFFF. Requires !bytes.empty().
Utf8Step decode_utf8(std::string_view bytes);

bool is_utf8(std::string_view bytes);

/// What must not reach a terminal or a log as it is: C0, DEL, C1, Unicode's
/// bidirectional controls (UAX #9) and its line and paragraph separators.
bool is_unsafe_to_show(char32_t point);

}  // namespace pwalk::tools
