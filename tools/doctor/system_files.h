#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pwalk::tools {

/// Reads the small text files with which Linux describes itself. `root` stands
/// before every path: empty in production, a made-up tree in tests.
class SystemFiles {
 public:
  explicit SystemFiles(std::string root = "") : root_(std::move(root)) {}

  /// Whole file, at most 1 MiB; nullopt if it cannot be read.
  std::optional<std::string> text(const std::string& path) const;
  /// Its first line, without blanks at either end.
  std::optional<std::string> line(const std::string& path) const;
  /// The number it begins with.
  std::optional<std::uint64_t> number(const std::string& path) const;
  /// The value of the first line "key<blanks or ':' or '='>value".
  std::optional<std::string> value(const std::string& path, std::string_view key) const;
  bool exists(const std::string& path) const;
  /// Names in a directory that end so, sorted; with the directory's path before them.
  std::vector<std::string> list(const std::string& directory, std::string_view suffix) const;

 private:
  std::string root_;
};

/// The word in brackets of a sysfs choice, "always [madvise] never"; else all of it.
std::string chosen_word(const std::string& choices);

}  // namespace pwalk::tools
