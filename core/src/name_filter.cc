#include "name_filter.h"

#include <algorithm>

namespace pwalk {

Result<NameFilter> NameFilter::make(const std::vector<std::string>& exclude,
                                    const std::vector<std::string>& include, bool ignore_snapshots,
                                    const std::vector<std::string>& directory_names) {
  auto excluded = compile(exclude);
  if (!excluded) return tl::unexpected(excluded.error());
  auto included = compile(include);
  if (!included) return tl::unexpected(included.error());
  NameFilter filter;
  filter.exclude_ = *std::move(excluded);
  filter.include_ = *std::move(included);
  filter.directory_names_.insert(directory_names.begin(), directory_names.end());
  filter.ignore_snapshots_ = ignore_snapshots;
  filter.active_ = !filter.exclude_.empty() || !filter.include_.empty();
  filter.needs_path_ = !filter.exclude_.paths.empty() || !filter.include_.paths.empty();
  return filter;
}

Result<NameFilter::Globs> NameFilter::compile(const std::vector<std::string>& patterns) {
  Globs globs;
  std::vector<Glob> names;
  for (const std::string& pattern : patterns) {
    auto glob = Glob::compile(pattern);
    if (!glob) return fail(glob.error().code, "bad glob '" + pattern + "': " + glob.error().what);
    (glob->is_for_paths() ? globs.paths : names).push_back(*std::move(glob));
  }
  globs.names = NameMatcher(std::move(names));
  return globs;
}

bool NameFilter::Globs::match(std::string_view name, std::string_view path) const {
  return names.matches(name) ||
         std::any_of(paths.begin(), paths.end(), [&](const Glob& glob) { return glob.matches(path); });
}

bool NameFilter::globs_leave_out(std::string_view name, std::string_view path, EntryKind kind) const {
  if (exclude_.match(name, path)) return true;
  return kind == EntryKind::other && !include_.empty() && !include_.match(name, path);
}

std::string NameFilter::explain() const {
  std::string text;
  const auto add = [&text](std::string_view what, const Globs& globs) {
    if (globs.empty()) return;
    text += (text.empty() ? "" : "; ") + std::string(what) + ": " + globs.names.explain();
    if (!globs.paths.empty()) text += ", " + std::to_string(globs.paths.size()) + " on paths";
  };
  add("exclude", exclude_);
  add("include", include_);
  return text;
}

std::vector<std::string> glob_lines(std::string_view text) {
  std::vector<std::string> globs;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.empty() && line.front() != '#') globs.emplace_back(line);
  }
  return globs;
}

}  // namespace pwalk
