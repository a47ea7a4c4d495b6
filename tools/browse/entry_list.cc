#include "browse/entry_list.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>

#include "browse/known_target.h"
#include "text/date_text.h"
#include "text/escape.h"
#include "text/mode_text.h"
#include "text/table.h"

namespace pwalk::tools {
namespace {

using schema::Column;

/// The cells of a line before its name, and how they lie in their columns.
constexpr std::size_t kCells = 7;
using Cells = std::array<std::string, kCells>;
constexpr std::size_t kUser = 3, kGroup = 4;
constexpr std::array<bool, kCells> kLeft{false, true, false, true, true, false, false};

std::string if_known(const EntryRef& entry, Column column, std::string text) { return entry.has(column) ? std::move(text) : "?"; }

std::string mode_cell(const EntryRef& entry) {
  if (entry.has(Column::mode)) return mode_text(entry.get<std::uint32_t>(Column::mode));
  const char type = entry.type();
  return std::string(1, type == 'f' ? '-' : type) + "?????????";
}

bool is_device(const EntryRef& entry) { return entry.type() == 'c' || entry.type() == 'b'; }

/// Digits of the longest numbers among the devices of a listing, which ls lines up.
struct DeviceWidths {
  std::size_t major = 0, minor = 0;

  explicit DeviceWidths(const std::vector<ListedEntry>& entries) {
    for (const ListedEntry& listed : entries) {
      if (!is_device(listed.entry)) continue;
      const auto device = listed.entry.get<std::uint32_t>(Column::rdev);
      major = std::max(major, fmt::formatted_size("{}", gnu_dev_major(device)));
      minor = std::max(minor, fmt::formatted_size("{}", gnu_dev_minor(device)));
    }
  }
};

std::string size_cell(const EntryRef& entry, const ListingStyle& style, const DeviceWidths& widths) {
  if (is_device(entry)) {
    const auto device = entry.get<std::uint32_t>(Column::rdev);
    return if_known(entry, Column::rdev,
                    fmt::format("{:>{}}, {:>{}}", gnu_dev_major(device), widths.major, gnu_dev_minor(device), widths.minor));
  }
  const auto size = entry.get<std::uint64_t>(Column::size);
  return if_known(entry, Column::size, style.human ? BlockSize::for_people().text(size) : std::to_string(size));
}

std::string owner_cell(const EntryRef& entry, Column column, const ListingStyle& style, OwnerNames& names) {
  const auto number = entry.get<std::uint32_t>(column);
  if (!entry.has(column)) return "?";
  if (style.numeric) return std::to_string(number);
  return column == Column::uid ? names.user_text(number) : names.group_text(number);
}

Cells cells_of(const EntryRef& entry, const ListingStyle& style, const DeviceWidths& widths, OwnerNames& names) {
  Cells cells;
  if (style.inode) cells[0] = if_known(entry, Column::inode, std::to_string(entry.get<std::uint64_t>(Column::inode)));
  if (!style.details) return cells;
  cells[1] = mode_cell(entry);
  cells[2] = if_known(entry, Column::nlink, std::to_string(entry.get<std::uint32_t>(Column::nlink)));
  cells[3] = owner_cell(entry, Column::uid, style, names);
  cells[4] = owner_cell(entry, Column::gid, style, names);
  cells[5] = size_cell(entry, style, widths);
  cells[6] = if_known(entry, Column::mtime, listing_time(entry.get<std::int64_t>(Column::mtime), style.now_ns));
  return cells;
}

}  // namespace

bool stands_before(const ListedEntry& a, const ListedEntry& b, const ListingStyle& style) {
  const auto key = [&](const ListedEntry& listed) -> std::uint64_t {
    if (style.order == ListingOrder::size) return listed.entry.get<std::uint64_t>(Column::size);
    // Times in the order of unsigned numbers: the sign bit turned.
    if (style.order == ListingOrder::time) return listed.entry.get<std::uint64_t>(Column::mtime) ^ std::uint64_t{1} << 63;
    return 0;
  };
  const ListedEntry& first = style.reverse ? b : a;
  const ListedEntry& second = style.reverse ? a : b;
  const auto left = key(first), right = key(second);
  return left != right ? left > right : first.name < second.name;
}

void append_entries(const std::vector<ListedEntry>& entries, const ListingStyle& style, OwnerNames& names, std::string& out) {
  std::vector<Cells> lines;
  std::array<std::size_t, kCells> widths{};
  const DeviceWidths device_widths(entries);
  for (const ListedEntry& listed : entries) {
    lines.push_back(cells_of(listed.entry, style, device_widths, names));
    for (std::size_t i = 0; i < kCells; ++i) widths[i] = std::max(widths[i], shown_width(lines.back()[i]));
  }
  for (std::size_t line = 0; line < lines.size(); ++line) {
    for (std::size_t i = 0; i < kCells; ++i) {
      if (widths[i] == 0) continue;
      const std::string padding(widths[i] - shown_width(lines[line][i]), ' ');
      const bool left = kLeft[i] && !(style.numeric && (i == kUser || i == kGroup));
      out += left ? lines[line][i] + padding : padding + lines[line][i];
      out += ' ';
    }
    const auto shown = [&](std::string_view text) { return style.for_terminal ? escaped(text) : std::string(text); };
    out += shown(entries[line].name);
    if (const auto target = known_target(entries[line].entry); style.details && !target.empty()) out += " -> " + shown(target);
    out += '\n';
  }
}

std::string total_line(const std::vector<ListedEntry>& entries, const ListingStyle& style) {
  std::uint64_t bytes = 0;
  for (const ListedEntry& listed : entries) bytes += listed.entry.get<std::uint64_t>(Column::blocks) * 512;
  const BlockSize unit = style.human ? BlockSize::for_people() : BlockSize{};
  return "total " + unit.text(bytes) + "\n";
}

}  // namespace pwalk::tools
