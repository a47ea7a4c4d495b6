#include "diff/difference_lines.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "formats/jsonl_writer.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

using schema::Column;

constexpr std::string_view kWords[] = {"added", "removed", "changed", "moved"};

std::string_view word_of(DifferenceKind kind) { return kWords[std::size_t(kind)]; }

/// One fact before and after, as text; nullopt: not known.
struct Change {
  std::string_view fact;
  std::string before, after;
};

/// Numbers as jsonl prints columns: decimal, times in nanoseconds.
std::string number(const EntryRef& entry, Column column) {
  if (column == Column::mtime) return std::to_string(entry.get<std::int64_t>(column));
  return std::to_string(entry.get<std::uint64_t>(column));
}

void add(std::vector<Change>& changes, const Difference& difference, bool changed, Column column) {
  if (changed && difference.before.has(column) && difference.after.has(column))
    changes.push_back({schema::name_of(column), number(difference.before, column), number(difference.after, column)});
}

/// The facts that changed and are numbers.
std::vector<Change> numbers_of(const Difference& difference) {
  std::vector<Change> changes;
  const ChangedFacts& facts = difference.facts;
  const auto differs = [&](Column column) { return number(difference.before, column) != number(difference.after, column); };
  add(changes, difference, facts.size, Column::size);
  add(changes, difference, facts.mode, Column::mode);
  add(changes, difference, facts.owner && differs(Column::uid), Column::uid);
  add(changes, difference, facts.owner && differs(Column::gid), Column::gid);
  add(changes, difference, facts.mtime, Column::mtime);
  add(changes, difference, facts.inode, Column::inode);
  return changes;
}

std::string shown(const Change& change) {
  if (change.fact == "mode")
    return fmt::format("mode {:o} -> {:o}", std::stoul(change.before) & 07777, std::stoul(change.after) & 07777);
  if (change.fact == "mtime") return "mtime";
  if (change.fact == "inode") return "another inode";
  return fmt::format("{} {} -> {}", change.fact, change.before, change.after);
}

void append_text(const Difference& difference, std::string& out) {
  out += word_of(difference.kind);
  out += ' ';
  if (difference.kind == DifferenceKind::moved) out += escaped(difference.from) + " -> ";
  out += escaped(difference.path);
  std::string separator = ": ";
  for (const Change& change : numbers_of(difference)) {
    out += separator + shown(change);
    separator = ", ";
  }
  if (difference.facts.target) out += separator + "target";
  out += '\n';
}

void append_jsonl(const Difference& difference, std::string& out) {
  out += fmt::format("{{\"change\":\"{}\",", word_of(difference.kind));
  append_json_text(out, "path", difference.path);
  if (difference.kind == DifferenceKind::moved) append_json_text(out += ',', "from", difference.from);
  const EntryRef& entry = difference.after ? difference.after : difference.before;
  const char type = entry.type();
  append_json_text(out += ',', "type", {&type, 1});
  if (!(difference.before && difference.after) && entry.has(Column::size)) out += ",\"size\":" + number(entry, Column::size);
  for (const Change& change : numbers_of(difference)) out += fmt::format(",\"{}\":[{},{}]", change.fact, change.before, change.after);
  if (difference.facts.target) {
    append_json_text(out += ',', "target_before", difference.before.text(Column::target));
    append_json_text(out += ',', "target", difference.after.text(Column::target));
  }
  out += "}\n";
}

}  // namespace

void DifferenceLines::append(const Difference& difference, std::string& out) const {
  if (format_ == DifferenceFormat::jsonl) append_jsonl(difference, out);
  else append_text(difference, out);
}

}  // namespace pwalk::tools
