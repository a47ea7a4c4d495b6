#include "mount_table.h"

#include <sys/sysmacros.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace pwalk {
namespace {

/// Cuts the next field off a line.
std::string_view next_field(std::string_view& line) {
  const std::string_view field = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(line.size(), field.size() + 1));
  return field;
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

bool is_octal(char c) { return c >= '0' && c <= '7'; }

/// The kernel writes space, tab, newline and backslash as \ooo (mangle_path, fs/seq_file.c).
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool escape = text[at] == '\\' && at + 3 < text.size() && is_octal(text[at + 1]) &&
                        is_octal(text[at + 2]) && is_octal(text[at + 3]);
    if (!escape) {
      out += text[at];
      continue;
    }
    out += char((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0'));
    at += 3;
  }
  return out;
}

/// "id parent major:minor root point options [tag...] - type source options"
std::optional<Mount> parse_line(std::string_view line) {
  Mount mount;
  if (!read_number(next_field(line), mount.id)) return std::nullopt;
  next_field(line);
  std::string_view device = next_field(line);
  const std::size_t colon = device.find(':');
  unsigned major_number = 0, minor_number = 0;
  if (colon == std::string_view::npos || !read_number(device.substr(0, colon), major_number) ||
      !read_number(device.substr(colon + 1), minor_number))
    return std::nullopt;
  mount.device = makedev(major_number, minor_number);
  next_field(line);
  mount.point = unescaped(next_field(line));
  while (!line.empty() && next_field(line) != "-") {
  }
  mount.filesystem = unescaped(next_field(line));
  mount.source = unescaped(next_field(line));
  if (mount.point.empty() || mount.filesystem.empty()) return std::nullopt;
  return mount;
}

}  // namespace

Result<MountTable> MountTable::read(const sys::Calls& calls) {
  auto text = calls.read_file("/proc/self/mountinfo");
  if (!text) return tl::unexpected(text.error());
  return parse(*text);
}

MountTable MountTable::parse(std::string_view mountinfo) {
  MountTable table;
  while (!mountinfo.empty()) {
    const std::string_view line = mountinfo.substr(0, mountinfo.find('\n'));
    mountinfo.remove_prefix(std::min(mountinfo.size(), line.size() + 1));
    if (auto mount = parse_line(line)) table.mounts_.push_back(*std::move(mount));
  }
  return table;
}

const Mount* MountTable::find(std::uint64_t id, std::uint64_t device) const {
  const auto by_id = std::find_if(mounts_.begin(), mounts_.end(), [&](const Mount& m) { return id && m.id == id; });
  if (by_id != mounts_.end()) return &*by_id;
  const auto by_device =
      std::find_if(mounts_.rbegin(), mounts_.rend(), [&](const Mount& m) { return m.device == device; });
  return by_device != mounts_.rend() ? &*by_device : nullptr;
}

}  // namespace pwalk
