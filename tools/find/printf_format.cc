#include "find/printf_format.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <limits>

#include "browse/known_target.h"
#include "text/date_text.h"
#include "text/escape.h"
#include "text/mode_text.h"

namespace pwalk::tools::find {
namespace {

using schema::Column;

constexpr std::string_view kDirectives = "abBcCAdDfFgGhHiklmMnpPsStTuUyY";
constexpr std::string_view kTimed = "ABCT";

Column time_column(char directive) {
  switch (directive) {
    case 'a': case 'A': return Column::atime;
    case 'B': return Column::btime;
    case 'c': case 'C': return Column::ctime;
    default: return Column::mtime;
  }
}

std::string seconds_text(std::int64_t ns) {
  // Ten digits behind the point, the last always 0: so does find.
  return fmt::format("{:09}0", split_time(ns).nanoseconds);
}

/// One part of a time: what strftime(3) makes of %k, but with fractions of a second
/// where find has them.
std::string time_text(std::int64_t ns, char part) {
  switch (part) {
    case '@': return fmt::format("{}.{}", split_time(ns).seconds, seconds_text(ns));
    case '+': return format_time(ns, "%Y-%m-%d+%H:%M:%S.") + seconds_text(ns);
    case 'T': case 'X': return format_time(ns, "%H:%M:%S.") + seconds_text(ns);
    case 'S': return format_time(ns, "%S.") + seconds_text(ns);
    default: break;
  }
  const char format[] = {'%', part, '\0'};
  return format_time(ns, format);
}

std::string whole_time_text(std::int64_t ns) {
  return format_time(ns, "%a %b %e %H:%M:%S.") + seconds_text(ns) + format_time(ns, " %Y");
}

std::string relative_path(const Visit& visit) {
  if (visit.depth == 0) return {};
  const std::size_t skip = visit.start.size() == 1 ? 1 : visit.start.size() + 1;
  return std::string(visit.path.substr(skip));
}

double sparseness(const Visit& visit) {
  const auto size = visit.get<std::uint64_t>(Column::size), blocks = visit.get<std::uint64_t>(Column::blocks);
  if (size == 0) return blocks == 0 ? 1.0 : std::numeric_limits<double>::infinity();
  return 512.0 * double(blocks) / double(size);
}

std::string number_text(const Visit& visit, Column column) {
  return visit.knows(column) ? std::to_string(visit.get<std::uint64_t>(column)) : std::string();
}

/// Of what links lead to, a scan tells directories alone.
char followed_type(const EntryRef& entry) {
  if (entry.type() != 'l') return entry.type();
  return entry.leads_to_directory() ? 'd' : '?';
}

/// What a directive that is printed as text shows.
std::string text_of(Visit& visit, char directive) {
  switch (directive) {
    case 'b': return number_text(visit, Column::blocks);
    case 'D': return number_text(visit, Column::device);
    case 'f': return std::string(visit.name());
    case 'F': return "unknown";  // an image does not say
    case 'g': return visit.run.names.group_text(visit.get<std::uint32_t>(Column::gid));
    case 'G': return number_text(visit, Column::gid);
    case 'h': return std::string(visit.path.substr(0, visit.path.rfind('/')));
    case 'H': return std::string(visit.start);
    case 'i': return number_text(visit, Column::inode);
    case 'k': return std::to_string((visit.get<std::uint64_t>(Column::blocks) + 1) / 2);
    case 'l': return std::string(known_target(visit.entry));
    case 'M': return mode_text(visit.get<std::uint32_t>(Column::mode));
    case 'n': return number_text(visit, Column::nlink);
    case 'p': return std::string(visit.path);
    case 'P': return relative_path(visit);
    case 's': return number_text(visit, Column::size);
    case 'u': return visit.run.names.user_text(visit.get<std::uint32_t>(Column::uid));
    case 'U': return number_text(visit, Column::uid);
    case 'Y': return std::string(1, followed_type(visit.entry));
    default: return std::string(1, visit.entry.type() == '?' ? 'U' : visit.entry.type());
  }
}

bool is_path(char directive) { return std::string_view("fhHlpP").find(directive) != std::string_view::npos; }

template <class... Values>
void append_printf(std::string& out, const std::string& conversion, Values... values) {
  const int length = std::snprintf(nullptr, 0, conversion.c_str(), values...);
  if (length <= 0) return;
  const std::size_t from = out.size();
  out.resize(from + std::size_t(length) + 1);
  std::snprintf(out.data() + from, std::size_t(length) + 1, conversion.c_str(), values...);
  out.pop_back();
}

Column column_of(char directive) {
  switch (directive) {
    case 'b': case 'k': return Column::blocks;
    case 'D': return Column::device;
    case 'g': case 'G': return Column::gid;
    case 'i': return Column::inode;
    case 'l': return Column::target;
    case 'm': case 'M': return Column::mode;
    case 'n': return Column::nlink;
    case 's': case 'S': return Column::size;
    case 'u': case 'U': return Column::uid;
    default: return Column::type;
  }
}

}  // namespace

/// The escape behind a backslash; false for \c, which ends the output there.
Result<bool> PrintfFormat::parse_escape(std::string_view& rest, std::string& text) {
  constexpr std::string_view kLetters = "abfnrtv\\", kBytes = "\a\b\f\n\r\t\v\\";
  if (rest.empty()) return fail(EINVAL, "a backslash ends the format; allowed are \\a \\b \\c \\f \\n \\r \\t \\v \\\\ and \\NNN");
  const char letter = rest[0];
  if (const auto at = kLetters.find(letter); at != std::string_view::npos) {
    text += kBytes[at];
    rest.remove_prefix(1);
    return true;
  }
  if (letter == 'c') return false;
  unsigned value = 0;
  std::size_t digits = 0;
  for (; digits < 3 && digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '7'; ++digits)
    value = value * 8 + unsigned(rest[digits] - '0');
  if (digits == 0)
    return fail(EINVAL, fmt::format("unknown escape '\\{}'; allowed are \\a \\b \\c \\f \\n \\r \\t \\v \\\\ and \\NNN", escaped(rest.substr(0, 1))));
  text += char(value);
  rest.remove_prefix(digits);
  return true;
}

/// What stands behind a %.
Result<void> PrintfFormat::parse_directive(std::string_view& rest, Piece& piece) {
  const auto take = [&](std::string_view set) {
    std::size_t length = 0;
    while (length < rest.size() && set.find(rest[length]) != std::string_view::npos) ++length;
    piece.conversion += rest.substr(0, length);
    rest.remove_prefix(length);
    return length;
  };
  piece.conversion = "%";
  take("-+ #0");
  constexpr std::size_t kMostDigits = 6;
  const bool wide = take("0123456789") > kMostDigits;
  const std::size_t precise = !rest.empty() && rest[0] == '.' ? (take("."), take("0123456789")) : 0;
  if (wide || precise > kMostDigits) return fail(EINVAL, "a field that is wider than 999999");
  if (rest.empty()) return fail(EINVAL, "a % ends the format; %% stands for a %");
  piece.directive = rest[0];
  rest.remove_prefix(1);
  if (piece.directive == 'Z') return fail(EINVAL, "%Z: an image has no security contexts");
  if (kDirectives.find(piece.directive) == std::string_view::npos)
    return fail(EINVAL, fmt::format("unknown directive '%{}'; allowed are those of find(1)", escaped({&piece.directive, 1})));
  if (kTimed.find(piece.directive) == std::string_view::npos) return {};
  if (rest.empty()) return fail(EINVAL, fmt::format("%{} wants a part of the time behind it, as in %{}@", piece.directive, piece.directive));
  piece.time_part = rest[0];
  rest.remove_prefix(1);
  return {};
}

Result<PrintfFormat> PrintfFormat::parse(std::string_view rest) {
  PrintfFormat format;
  std::string text;
  const auto end_text = [&] {
    if (!text.empty()) format.pieces_.push_back({std::exchange(text, {}), {}, 0, 0});
  };
  while (!rest.empty()) {
    const char c = rest[0];
    rest.remove_prefix(1);
    if (c == '\\') {
      const auto more = parse_escape(rest, text);
      if (!more) return tl::unexpected(more.error());
      if (!*more) break;
    } else if (c == '%' && !rest.empty() && rest[0] == '%') {
      text += '%';
      rest.remove_prefix(1);
    } else if (c == '%') {
      end_text();
      Piece piece;
      if (auto fine = parse_directive(rest, piece); !fine) return tl::unexpected(fine.error());
      format.pieces_.push_back(std::move(piece));
    } else {
      text += c;
    }
  }
  end_text();
  return format;
}

void PrintfFormat::append(Visit& visit, std::string& out) const {
  for (const Piece& piece : pieces_) {
    if (piece.directive == 0) {
      out += piece.text;
      continue;
    }
    const std::string& conversion = piece.conversion;
    const Column time = time_column(piece.directive);
    switch (piece.directive) {
      case 'd': append_printf(out, conversion + "d", int(visit.depth)); break;
      case 'm': append_printf(out, conversion + "o", visit.get<std::uint32_t>(Column::mode) & 07777u); break;
      case 'S': append_printf(out, conversion + "g", sparseness(visit)); break;
      case 'a': case 'c': case 't':
        append_printf(out, conversion + "s", (visit.knows(time) ? whole_time_text(visit.get<std::int64_t>(time)) : "").c_str());
        break;
      case 'A': case 'B': case 'C': case 'T':
        append_printf(out, conversion + "s",
                      (visit.knows(time) ? time_text(visit.get<std::int64_t>(time), piece.time_part) : "").c_str());
        break;
      default: {
        std::string text = text_of(visit, piece.directive);
        if (visit.run.for_terminal && is_path(piece.directive)) text = escaped(text);
        if (conversion == "%") out += text;
        else append_printf(out, conversion + "s", text.c_str());
      }
    }
  }
}

schema::ColumnSet PrintfFormat::needs() const {
  schema::ColumnSet columns;
  for (const Piece& piece : pieces_) {
    if (piece.directive == 0) continue;
    const bool timed = std::string_view("aActT").find(piece.directive) != std::string_view::npos || piece.directive == 'B' ||
                       piece.directive == 'C';
    columns.insert(timed ? time_column(piece.directive) : column_of(piece.directive));
    if (piece.directive == 'S') columns.insert(Column::blocks);
  }
  return columns;
}

}  // namespace pwalk::tools::find
