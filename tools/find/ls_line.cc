#include "find/ls_line.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "browse/known_target.h"
#include "text/date_text.h"
#include "text/mode_text.h"

namespace pwalk::tools::find {
namespace {

using schema::Column;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kHalfYear = 180 * 86'400 * kSecond, kHour = 3'600 * kSecond;

/// Bytes that could be taken for something else are written as C would; so does find.
void append_quoted(std::string& out, std::string_view name) {
  constexpr std::string_view kBytes = "\\\n\b\r\t\f \"", kLetters = "\\nbrtf \"";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (const auto at = kBytes.find(c); at != std::string_view::npos) (out += '\\') += kLetters[at];
    else if (byte > 040 && byte < 0177) out += c;
    else out += fmt::format("\\{:03o}", byte);
  }
}

std::string time_of(std::int64_t ns, std::int64_t now_ns) {
  const bool recent = ns > now_ns - kHalfYear && ns < now_ns + kHour;
  return format_time(ns, recent ? "%b %e %H:%M" : "%b %e  %Y");
}

}  // namespace

void LsLine::append_padded(std::string& out, const std::string& text, std::size_t& width, bool left) {
  width = std::max(width, text.size());
  out += left ? fmt::format("{:<{}}", text, width) : fmt::format("{:>{}}", text, width);
  out += ' ';
}

void LsLine::append(Visit& visit, std::string& out) {
  const char type = visit.entry.type();
  append_padded(out, std::to_string(visit.get<std::uint64_t>(Column::inode)), inode_, false);
  append_padded(out, std::to_string((visit.get<std::uint64_t>(Column::blocks) + 1) / 2), blocks_, false);
  out += mode_text(visit.get<std::uint32_t>(Column::mode)) + ' ';
  append_padded(out, std::to_string(visit.get<std::uint32_t>(Column::nlink)), links_, false);
  append_padded(out, visit.run.names.user_text(visit.get<std::uint32_t>(Column::uid)), user_, true);
  append_padded(out, visit.run.names.group_text(visit.get<std::uint32_t>(Column::gid)), group_, true);
  const auto device = visit.get<std::uint32_t>(Column::rdev);
  append_padded(out,
                type == 'c' || type == 'b' ? fmt::format("{:>3}, {:>3}", major(device), minor(device))
                                           : std::to_string(visit.get<std::uint64_t>(Column::size)),
                size_, false);
  out += time_of(visit.get<std::int64_t>(Column::mtime), visit.run.now_ns) + ' ';
  append_quoted(out, visit.path);
  if (const auto target = known_target(visit.entry); !target.empty()) {
    out += " -> ";
    append_quoted(out, target);
  }
  out += '\n';
}

}  // namespace pwalk::tools::find
