#include "root_path.h"

#include <algorithm>

namespace pwalk {

std::string root_path(std::string_view working_directory, std::string_view given) {
  const bool absolute = !given.empty() && given.front() == '/';
  std::string path = absolute || working_directory == "/" ? std::string() : std::string(working_directory);
  bool leading = true;
  while (!given.empty()) {
    const std::string_view component = given.substr(0, given.find('/'));
    given.remove_prefix(std::min(given.size(), component.size() + 1));
    if (component.empty() || component == ".") continue;
    if (leading && component == "..") {
      path.resize(path.empty() ? 0 : path.rfind('/'));
      continue;
    }
    leading = false;
    path.append("/").append(component);
  }
  return path.empty() ? "/" : path;
}

}  // namespace pwalk
