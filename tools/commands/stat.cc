#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <cstring>

#include "browse/known_target.h"
#include "browse/session.h"
#include "cli/short_command_line.h"
#include "commands/command.h"
#include "process/message.h"
#include "text/date_text.h"
#include "text/escape.h"
#include "text/mode_text.h"
#include "text/owner_names.h"

namespace pwalk::tools {
namespace {

using schema::Column;

constexpr const char* kProgram = "pwalk stat";

std::string type_words(const EntryRef& entry) {
  switch (entry.type()) {
    case 'f': return entry.has(Column::size) && entry.get<std::uint64_t>(Column::size) == 0 ? "regular empty file" : "regular file";
    case 'd': return "directory";
    case 'l': return "symbolic link";
    case 'b': return "block special file";
    case 'c': return "character special file";
    case 'p': return "fifo";
    case 's': return "socket";
    default: return "of unknown type";
  }
}

/// A column's value as a number, or "?" where it is not known.
std::string number(const EntryRef& entry, Column column) {
  return entry.has(column) ? std::to_string(entry.get<std::uint64_t>(column)) : "?";
}

std::string time_of(const EntryRef& entry, Column column) {
  if (!entry.has(column)) return "-";
  const auto ns = entry.get<std::int64_t>(column);
  return format_time(ns, "%Y-%m-%d %H:%M:%S.") + fmt::format("{:09}", split_time(ns).nanoseconds) + format_time(ns, " %z");
}

std::string flag_words(std::uint32_t flags) {
  std::string words;
  for (std::size_t bit = 0; bit < schema::kEntryFlagNames.size(); ++bit)
    if (flags >> bit & 1) words += " " + std::string(schema::kEntryFlagNames[bit]);
  return words;
}

/// What the scan says of a directory's reading.
std::string reading_line(const Listing& listing) {
  const auto& record = listing.record();
  if (!record) return "not entered by the scan";
  std::string line = fmt::format("{} entries", record->entries);
  if (record->error != 0) return line + fmt::format(", not read to the end: {}", std::strerror(int(record->error)));
  return record->flags & schema::kComplete ? line : line + ", not read to the end";
}

std::string describe(const Place& place, const EntryRef& entry, bool for_terminal, OwnerNames& names) {
  const auto mode = entry.get<std::uint32_t>(Column::mode), device = entry.get<std::uint32_t>(Column::rdev);
  const auto at = entry.get<std::uint64_t>(Column::device);
  const auto shown = [&](std::string_view name) { return for_terminal ? escaped(name) : std::string(name); };
  std::string text = "  File: " + shown(place.path);
  if (const auto target = known_target(entry); !target.empty()) text += " -> " + shown(target);
  text += '\n';
  text += fmt::format("  Size: {:<15} Blocks: {:<10} {}\n", number(entry, Column::size), number(entry, Column::blocks), type_words(entry));
  text += fmt::format("Device: {},{:<11} Inode: {:<11} Links: {}", major(at), minor(at), number(entry, Column::inode), number(entry, Column::nlink));
  if (entry.type() == 'c' || entry.type() == 'b') text += fmt::format("  Device type: {},{}", major(device), minor(device));
  text += '\n';
  text += entry.has(Column::mode) ? fmt::format("Access: ({:04o}/{})", mode & 07777, mode_text(mode)) : "Access: (?)";
  text += fmt::format("  Uid: ({:>5}/{:>8})   Gid: ({:>5}/{:>8})\n", number(entry, Column::uid), names.user_text(entry.get<std::uint32_t>(Column::uid)),
                      number(entry, Column::gid), names.group_text(entry.get<std::uint32_t>(Column::gid)));
  text += fmt::format("Access: {}\nModify: {}\nChange: {}\n Birth: {}\n", time_of(entry, Column::atime), time_of(entry, Column::mtime),
                      time_of(entry, Column::ctime), time_of(entry, Column::btime));
  if (entry.flags() != 0) text += fmt::format(" Flags:{}\n", flag_words(entry.flags()));
  if (entry.is_directory())
    if (const auto listing = place.results.list(place.path)) text += fmt::format("  Read: {}\n", reading_line(*listing));
  return text;
}

}  // namespace

int run_stat(int argc, const char* const* argv) {
  ShortCommandLine command_line(kProgram, "PLACE...", "Shows what the scan found out about each path, as stat(1) does.", {});
  if (auto code = command_line.parse_or_exit(argc, argv)) return *code;
  BrowsingSession session(kProgram);
  OwnerNames names;
  for (const Place& place : session.places(command_line.arguments())) {
    const auto entry = place.results.stat(place.path);
    if (!entry) {
      session.complain(entry.error());
      continue;
    }
    session.output().buffer() += describe(place, *entry, session.for_terminal(), names);
    if (entry->error() != 0) session.complain(place.path, int(entry->error()));
    if (!session.go_on()) break;
  }
  return session.finish();
}

}  // namespace pwalk::tools
