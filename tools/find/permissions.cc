#include "find/permissions.h"

#include <sys/stat.h>

#include <optional>

namespace pwalk::tools::find {
namespace {

constexpr std::uint32_t kAll = 07777;
constexpr std::uint32_t kUser = 04700, kGroup = 02070, kOther = 01007;

std::optional<std::uint32_t> parse_octal(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::uint32_t bits = 0;
  for (const char c : text) {
    if (c < '0' || c > '7') return std::nullopt;
    bits = bits * 8 + std::uint32_t(c - '0');
    if (bits > kAll) return std::nullopt;
  }
  return bits;
}

/// `ugo`, `a` or nobody; moves behind it.
std::uint32_t take_who(std::string_view& clause) {
  std::uint32_t who = 0;
  for (; !clause.empty(); clause.remove_prefix(1)) {
    switch (clause[0]) {
      case 'u': who |= kUser; break;
      case 'g': who |= kGroup; break;
      case 'o': who |= kOther; break;
      case 'a': who |= kAll; break;
      default: return who;
    }
  }
  return who;
}

/// The bits that a letter stands for, for everybody. nullopt: no such letter.
std::optional<std::uint32_t> bits_of(char letter, std::uint32_t current, bool directory) {
  const auto copy = [](std::uint32_t three) { return three | three << 3 | three << 6; };
  switch (letter) {
    case 'r': return 0444;
    case 'w': return 0222;
    case 'x': return 0111;
    case 'X': return directory || (current & 0111) ? 0111 : 0;
    case 's': return S_ISUID | S_ISGID;
    case 't': return S_ISVTX;
    case 'u': return copy(current >> 6 & 7);
    case 'g': return copy(current >> 3 & 7);
    case 'o': return copy(current & 7);
    default: return std::nullopt;
  }
}

/// One clause, `u+rw-x`, applied to `bits`.
bool apply_clause(std::string_view clause, bool directory, std::uint32_t& bits) {
  const std::uint32_t given = take_who(clause);
  const std::uint32_t who = given ? given : kAll;
  if (clause.empty()) return false;
  while (!clause.empty()) {
    const char action = clause[0];
    if (action != '+' && action != '-' && action != '=') return false;
    clause.remove_prefix(1);
    std::uint32_t change = 0;
    for (; !clause.empty() && clause[0] != '+' && clause[0] != '-' && clause[0] != '='; clause.remove_prefix(1)) {
      const auto more = bits_of(clause[0], bits, directory);
      if (!more) return false;
      change |= *more;
    }
    change &= who;
    if (action == '+') bits |= change;
    if (action == '-') bits &= ~change;
    if (action == '=') bits = (bits & ~who) | change;
  }
  return true;
}

std::optional<std::uint32_t> parse_symbolic(std::string_view text, bool directory) {
  std::uint32_t bits = 0;
  for (;;) {
    const auto comma = text.find(',');
    if (!apply_clause(text.substr(0, comma), directory, bits)) return std::nullopt;
    if (comma == std::string_view::npos) return bits;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

bool Permissions::has(std::uint32_t mode) const {
  const std::uint32_t wanted_bits = S_ISDIR(mode) ? directory_bits : bits;
  switch (wanted) {
    case Wanted::all: return (mode & wanted_bits) == wanted_bits;
    case Wanted::any: return wanted_bits == 0 || (mode & wanted_bits) != 0;
    default: return (mode & kAll) == wanted_bits;
  }
}

Result<Permissions> parse_permissions(std::string_view text) {
  Permissions permissions;
  if (!text.empty() && (text[0] == '-' || text[0] == '/')) {
    permissions.wanted = text[0] == '-' ? Permissions::Wanted::all : Permissions::Wanted::any;
    text.remove_prefix(1);
  }
  if (const auto octal = parse_octal(text)) {
    permissions.bits = permissions.directory_bits = *octal;
    return permissions;
  }
  const auto bits = parse_symbolic(text, false), directory_bits = parse_symbolic(text, true);
  if (!bits || !directory_bits) return fail(EINVAL, "allowed are octal modes and u+rw,go=r, with - (all of them) or / (any) in front");
  permissions.bits = *bits;
  permissions.directory_bits = *directory_bits;
  return permissions;
}

}  // namespace pwalk::tools::find
