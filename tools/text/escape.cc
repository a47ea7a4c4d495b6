#include "text/escape.h"

#include <algorithm>

#include "text/utf8.h"

namespace pwalk::tools {
namespace {

bool is_plain_ascii(char byte) { return byte >= 0x20 && byte < 0x7F && byte != '\\'; }

void append_byte(std::string& out, char byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  switch (byte) {
    case '\n': out += "\\n"; return;
    case '\t': out += "\\t"; return;
    case '\r': out += "\\r"; return;
    case '\\': out += "\\\\"; return;
    default: break;
  }
  const auto value = static_cast<unsigned char>(byte);
  out += "\\x";
  out += kDigits[value >> 4];
  out += kDigits[value & 15];
}

}  // namespace

void append_escaped(std::string& out, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto plain = std::size_t(std::find_if_not(bytes.begin(), bytes.end(), is_plain_ascii) - bytes.begin());
    out += bytes.substr(0, plain);
    bytes.remove_prefix(plain);
    if (bytes.empty()) return;
    const Utf8Step step = decode_utf8(bytes);
    const std::size_t length = std::max<std::size_t>(1, step.length);
    const bool shown = step.length > 1 && !is_unsafe_to_show(step.code_point);
    if (shown)
      out += bytes.substr(0, length);
    else
      for (char byte : bytes.substr(0, length)) append_byte(out, byte);
    bytes.remove_prefix(length);
  }
}

std::string escaped(std::string_view bytes) {
  std::string out;
  append_escaped(out, bytes);
  return out;
}

}  // namespace pwalk::tools
