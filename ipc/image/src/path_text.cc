#include "path_text.h"

namespace pwalk::image {
namespace {

/// The component that begins at `at` (behind a slash) ends a resolved path's form.
bool needs_work(std::string_view path, std::size_t at) {
  const std::string_view rest = path.substr(at);
  const auto ends = [&](std::size_t length) { return rest.size() == length || rest[length] == '/'; };
  return rest.empty() || rest[0] == '/' || (rest[0] == '.' && (ends(1) || (rest[1] == '.' && ends(2))));
}

bool is_resolved(std::string_view path) {
  if (path == "/") return true;
  for (std::size_t slash = 0; slash != std::string_view::npos; slash = path.find('/', slash + 1))
    if (needs_work(path, slash + 1)) return false;
  return true;
}

void append_component(std::string& out, std::string_view component) {
  if (component.empty() || component == ".") return;
  if (component == "..") {
    out.resize(out.empty() ? 0 : out.rfind('/'));
    return;
  }
  out += '/';
  out += component;
}

}  // namespace

Result<std::string_view> resolve_path(std::string_view path, std::string& storage, bool& directory_wanted) {
  directory_wanted = false;
  if (path.empty() || path[0] != '/') return fail(EINVAL, "'" + std::string(path) + "' is not an absolute path");
  if (path.find('\0') != std::string_view::npos) return fail(EINVAL, "a path cannot contain a NUL byte");
  if (is_resolved(path)) return path;
  storage.clear();
  for (std::size_t from = 1; from <= path.size();) {
    const auto slash = std::min(path.find('/', from), path.size());
    const std::string_view component = path.substr(from, slash - from);
    append_component(storage, component);
    directory_wanted = component.empty() || component == "." || component == "..";
    from = slash + 1;
  }
  if (storage.empty()) storage = "/";
  return std::string_view(storage);
}

bool goes_up(std::string_view path) {
  for (auto at = path.find("/.."); at != std::string_view::npos; at = path.find("/..", at + 1))
    if (at + 3 == path.size() || path[at + 3] == '/') return true;
  return false;
}

SplitPath split_path(std::string_view resolved) {
  const auto slash = resolved.rfind('/');
  return {resolved.substr(0, slash), resolved.substr(slash + 1)};
}

}  // namespace pwalk::image
