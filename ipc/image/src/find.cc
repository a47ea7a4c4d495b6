#include "pwalk/image/find.h"

#include <fnmatch.h>

#include <algorithm>

#include "pwalk/image/tree_walk.h"

namespace pwalk {
namespace {

using schema::Column;

template <class T>
bool known_and(const EntryRef& entry, Column column, const auto& test) {
  return entry.has(column) && test(entry.get<T>(column));
}

bool is_owned_by(const EntryRef& entry, Column column, std::uint32_t wanted) {
  return known_and<std::uint32_t>(entry, column, [&](auto id) { return id == wanted; });
}

bool name_fits(const FindConditions& asked, const EntryRef& entry) {
  const std::string_view name = entry.name();
  if (asked.name && ::fnmatch(asked.name->c_str(), std::string(name).c_str(), 0) != 0) return false;
  return asked.suffixes.empty() || std::any_of(asked.suffixes.begin(), asked.suffixes.end(),
                                               [&](const auto& suffix) { return name.ends_with(suffix); });
}

bool size_and_time_fit(const FindConditions& asked, const EntryRef& entry) {
  const auto size = [&](const auto& test) { return known_and<std::uint64_t>(entry, Column::size, test); };
  const auto mtime = [&](const auto& test) { return known_and<std::int64_t>(entry, Column::mtime, test); };
  if (asked.larger && !size([&](auto bytes) { return bytes > *asked.larger; })) return false;
  if (asked.smaller && !size([&](auto bytes) { return bytes < *asked.smaller; })) return false;
  if (asked.older && !mtime([&](auto ns) { return ns < *asked.older; })) return false;
  return !asked.newer || mtime([&](auto ns) { return ns > *asked.newer; });
}

}  // namespace

bool FindConditions::are_met_by(const EntryRef& entry) const {
  if (!types.empty() && types.find(entry.type()) == std::string::npos) return false;
  if (!size_and_time_fit(*this, entry) || !name_fits(*this, entry)) return false;
  if (owner && !is_owned_by(entry, Column::uid, *owner)) return false;
  return !group || is_owned_by(entry, Column::gid, *group);
}

Result<void> find(const ResultsFilesystem& results, std::string_view path, const FindConditions& conditions,
                  const std::function<bool(std::string_view path, const EntryRef& entry)>& visit) {
  auto walk = TreeWalk::start(results, path, {});
  if (!walk) return tl::unexpected(walk.error());
  for (;;) {
    const auto more = walk->next();
    if (!more) return tl::unexpected(more.error());
    if (!*more) return {};
    if (conditions.are_met_by(walk->entry()) && !visit(walk->path(), walk->entry())) return {};
  }
}

}  // namespace pwalk
