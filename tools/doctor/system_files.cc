#include "doctor/system_files.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <memory>
#include <sstream>

namespace pwalk::tools {
namespace {

constexpr std::size_t kMostBytes = 1 << 20;
constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(kBlanks);
  if (from == text.npos) return {};
  return text.substr(from, text.find_last_not_of(kBlanks) - from + 1);
}

}  // namespace

std::optional<std::string> SystemFiles::text(const std::string& path) const {
  std::ifstream file(root_ + path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string bytes(kMostBytes, '\0');
  file.read(bytes.data(), std::streamsize(bytes.size()));
  if (file.bad()) return std::nullopt;
  bytes.resize(std::size_t(file.gcount()));
  return bytes;
}

std::optional<std::string> SystemFiles::line(const std::string& path) const {
  const auto whole = text(path);
  if (!whole) return std::nullopt;
  return std::string(trimmed(std::string_view(*whole).substr(0, whole->find('\n'))));
}

std::optional<std::uint64_t> SystemFiles::number(const std::string& path) const {
  const auto first = line(path);
  std::uint64_t value = 0;
  if (!first || std::from_chars(first->data(), first->data() + first->size(), value).ec != std::errc{})
    return std::nullopt;
  return value;
}

std::optional<std::string> SystemFiles::value(const std::string& path, std::string_view key) const {
  const auto whole = text(path);
  if (!whole) return std::nullopt;
  std::istringstream lines(*whole);
  for (std::string each; std::getline(lines, each);) {
    std::string_view rest = trimmed(each);
    if (rest.substr(0, key.size()) != key) continue;
    rest.remove_prefix(key.size());
    if (rest.empty() || std::string_view(" \t:=").find(rest.front()) == std::string_view::npos) continue;
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t:="), rest.size()));
    return std::string(trimmed(rest));
  }
  return std::nullopt;
}

bool SystemFiles::exists(const std::string& path) const { return ::access((root_ + path).c_str(), F_OK) == 0; }

std::vector<std::string> SystemFiles::list(const std::string& directory, std::string_view suffix) const {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir((root_ + directory).c_str()), ::closedir);
  while (const dirent* entry = opened ? ::readdir(opened.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    if (name.size() >= suffix.size() && name.substr(name.size() - suffix.size()) == suffix)
      names.push_back(directory + "/" + std::string(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string chosen_word(const std::string& choices) {
  const auto from = choices.find('['), to = choices.find(']');
  return from < to && to != choices.npos ? choices.substr(from + 1, to - from - 1) : choices;
}

}  // namespace pwalk::tools
