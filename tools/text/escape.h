#pragma once

#include <string>
#include <string_view>

namespace pwalk::tools {

/// Appends `bytes` so that a terminal or a log can show them: C0 and DEL, C1,
/// what redirects or breaks text (bidirectional controls, line and paragraph
/// separators), bytes that are no UTF-8, and the backslash become \n, \t, \r,
/// \\ or \xHH, byte by byte. Unambiguous: undoing it gives the bytes back.
void append_escaped(std::string& out, std::string_view bytes);

std::string escaped(std::string_view bytes);

}  // namespace pwalk::tools
