#include "pwalk/image/glob.h"

#include <fnmatch.h>

#include <algorithm>
#include <string>
#include <vector>

#include "path_text.h"

namespace pwalk {
namespace {

using Visit = std::function<bool(std::string_view, const EntryRef&)>;

bool has_wildcard(const std::string& component) { return component.find_first_of("*?[\\") != std::string::npos; }

std::vector<std::string> components_of(std::string_view pattern) {
  std::vector<std::string> components;
  for (std::size_t from = 1; from <= pattern.size();) {
    const auto slash = std::min(pattern.find('/', from), pattern.size());
    const std::string_view component = pattern.substr(from, slash - from);
    const bool again = component == "**" && !components.empty() && components.back() == "**";
    if (!component.empty() && !again) components.emplace_back(component);
    from = slash + 1;
  }
  return components;
}

class Search {
 public:
  Search(const ResultsFilesystem& results, std::string_view pattern, const Visit& visit)
      : results_(results), components_(components_of(pattern)), wants_directory_(pattern.ends_with('/')), visit_(visit) {}

  Result<void> run() {
    path_ = "/";
    return match(0, EntryRef{});
  }

 private:
  /// Matches components from `index` on below path_, whose row is `entry` (none for what
  /// has not been looked up).
  Result<void> match(std::size_t index, const EntryRef& entry) {
    if (ended_) return {};
    if (index == components_.size()) return found(entry);
    const std::string& component = components_[index];
    if (component == "**") return match_none(index, entry);
    if (!has_wildcard(component)) return step_into(component, index);
    return for_each_entry([&](const EntryRef& child) -> Result<void> {
      name_ = child.name();
      if (::fnmatch(component.c_str(), name_.c_str(), FNM_PERIOD) != 0) return {};
      return descend(child, index + 1);
    });
  }

  /// `**` as nothing at all, then as one directory and more.
  Result<void> match_none(std::size_t index, const EntryRef& entry) {
    if (auto done = match(index + 1, entry); !done) return done;
    return match_more(index);
  }

  /// At the end of a pattern `**` also stands for files.
  Result<void> match_more(std::size_t index) {
    const bool last = index + 1 == components_.size();
    return for_each_entry([&](const EntryRef& child) -> Result<void> {
      if (child.name().starts_with('.') || !(last || child.is_directory())) return {};
      const std::size_t length = push(child.name());
      auto done = match(index + 1, child);
      if (done && child.is_directory()) done = match_more(index);
      path_.resize(length);
      return done;
    });
  }

  Result<void> step_into(const std::string& component, std::size_t index) {
    const std::size_t length = push(component);
    Result<void> done;
    // Above the scan's roots nothing is known, and nothing needs to be.
    if (const auto entry = results_.stat(path_))
      done = match(index + 1, *entry);
    else if (entry.error().code == ENOENT && index + 1 < components_.size())
      done = match(index + 1, EntryRef{});
    else if (entry.error().code != ENOENT && entry.error().code != ENOTDIR)
      done = tl::unexpected(entry.error());
    path_.resize(length);
    return done;
  }

  template <class Use>
  Result<void> for_each_entry(Use&& use) {
    const auto listing = results_.list(path_);
    if (!listing) {
      if (listing.error().code == ENOENT || listing.error().code == ENOTDIR) return {};
      return tl::unexpected(listing.error());
    }
    std::vector<EntryRef> entries(listing->begin(), listing->end());
    std::sort(entries.begin(), entries.end(), [](const EntryRef& a, const EntryRef& b) { return a.name() < b.name(); });
    for (const EntryRef& entry : entries)
      if (auto done = use(entry); !done || ended_) return done;
    return {};
  }

  Result<void> descend(const EntryRef& child, std::size_t index) {
    const std::size_t length = push(child.name());
    auto done = match(index, child);
    path_.resize(length);
    return done;
  }

  std::size_t push(std::string_view name) {
    const std::size_t length = path_.size();
    if (path_.back() != '/') path_ += '/';
    path_ += name;
    return length;
  }

  Result<void> found(EntryRef entry) {
    if (!entry) {
      const auto looked_up = results_.stat(path_);
      if (!looked_up && looked_up.error().code == ENOENT) return {};
      if (!looked_up) return tl::unexpected(looked_up.error());
      entry = *looked_up;
    }
    if (wants_directory_ && !entry.is_directory() && !entry.leads_to_directory()) return {};
    const std::size_t length = wants_directory_ ? push("") : path_.size();
    ended_ = !visit_(path_, entry);
    path_.resize(length);
    return {};
  }

  const ResultsFilesystem& results_;
  std::vector<std::string> components_;
  bool wants_directory_;
  const Visit& visit_;
  std::string path_, name_;
  bool ended_ = false;
};

}  // namespace

Result<void> glob(const ResultsFilesystem& results, std::string_view pattern, const Visit& visit) {
  if (pattern.empty() || pattern[0] != '/') return fail(EINVAL, "'" + std::string(pattern) + "' is not an absolute pattern");
  return Search(results, pattern, visit).run();
}

}  // namespace pwalk
