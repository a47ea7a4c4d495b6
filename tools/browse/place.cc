#include "browse/place.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "process/message.h"
#include "pwalk/ipc/kept_images.h"
#include "text/escape.h"

namespace pwalk::tools {
namespace {

bool is_regular_file(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);
}

/// Where SCAN ends in `SCAN:/path`; npos if the word is no such thing. A path may
/// contain ":/" itself, so a SCAN that begins with a slash must be a file.
std::size_t end_of_scan(const std::string& word) {
  for (auto at = word.find(":/"); at != std::string::npos; at = word.find(":/", at + 1))
    if (at != 0 && (word[0] != '/' || is_regular_file(word.substr(0, at)))) return at;
  return std::string::npos;
}

/// And can be no SCAN.
bool is_plainly_a_path(const std::string& word) {
  return word.starts_with('/') || word == "." || word == ".." || word.starts_with("./") || word.starts_with("../");
}

bool is_pattern(const std::string& word) { return word.find_first_of("*?[") != std::string::npos; }

bool is_there(const Place& place) { return place.results.stat(place.path).has_value(); }

/// A path, from the working directory if it is relative, in the newest image of a tree that it lies in.
Result<std::vector<Place>> place_at(const std::string& word) {
  std::string path = word;
  std::error_code unknown;
  if (path[0] != '/') path = (std::filesystem::current_path(unknown) / word).lexically_normal();
  auto covering = ipc::open_image_with(path);
  if (!covering) return tl::unexpected(covering.error());
  return std::vector<Place>{{*std::move(covering), path}};
}

std::vector<Place> all_roots(const ResultsFilesystem& results) {
  std::vector<Place> places;
  for (const std::string& root : results.facts().roots) places.push_back({results, root});
  return places;
}

void tell_time(const ResultsFilesystem& results) {
  const auto seconds = std::time_t(results.facts().started_ns / 1'000'000'000);
  std::string line = fmt::format("as of {:%Y-%m-%d %H:%M:%S}", fmt::localtime(seconds));
  if (results.state() == image::ImageState::growing) line += results.abandoned() ? ", unfinished" : ", still growing";
  if (results.state() == image::ImageState::cut_short) line += ", cut short";
  say("pwalk", fmt::format("{} ({})", line, escaped(results.facts().name)));
}

}  // namespace

Result<std::vector<Place>> find_places(const std::string& word) {
  if (const auto end = end_of_scan(word); end != std::string::npos) {
    auto results = ipc::open_image(word.substr(0, end));
    if (!results) return tl::unexpected(results.error());
    return std::vector<Place>{{*std::move(results), word.substr(end + 1)}};
  }
  if (is_plainly_a_path(word)) {
    auto covering = place_at(word);
    if (covering || covering.error().code != ENOENT || !is_regular_file(word)) return covering;
  }
  auto results = ipc::open_image(word);
  if (results) return all_roots(*results);
  if (!word.empty())
    if (auto covering = place_at(word); covering && (is_pattern(word) || is_there(covering->front()))) return covering;
  return tl::unexpected(results.error());
}

std::vector<Place> places_or_complain(const std::string& program, const std::vector<std::string>& words) {
  std::vector<Place> places;
  for (const std::string& word : words.empty() ? std::vector<std::string>{""} : words) {
    auto found = find_places(word);
    if (!found) {
      say(program, escaped(ipc::line_of_image_error(found.error())));
      return {};
    }
    if (::isatty(STDERR_FILENO) == 1 && !found->empty()) tell_time(found->front().results);
    places.insert(places.end(), found->begin(), found->end());
  }
  return places;
}

}  // namespace pwalk::tools
