#include "pwalk/ipc/kept_images.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>

#include "pwalk/base/lies_below.h"
#include "pwalk/image/image_writer.h"
#include "pwalk/ipc/scan_directory.h"
#include "scan_home.h"

namespace pwalk::ipc {
namespace {

constexpr const char* kDirectory = ".images";
constexpr std::string_view kFinished = ".img";
constexpr std::string_view kGrowing = ".img.partial";

/// Opens it without following a link; it must be ours as the runtime directory is.
Result<UniqueFd> open_images(const std::string& runtime_directory, bool create) {
  auto runtime = open_runtime_directory(runtime_directory, create);
  if (!runtime) return runtime;
  if (create && ::mkdirat(runtime->get(), kDirectory, 0700) != 0 && errno != EEXIST)
    return fail_errno(fmt::format("cannot make '{}/{}'", runtime_directory, kDirectory));
  return open_scan_directory(runtime->get(), kDirectory);
}

std::string path_of(const std::string& runtime_directory, const std::string& name, std::string_view suffix) {
  return fmt::format("{}/{}/{}{}", runtime_directory, kDirectory, name, suffix);
}

/// The scan's name in a file name, if it is one of ours.
std::optional<std::string> scan_of(const std::string& file, std::string_view suffix) {
  if (!file.ends_with(suffix)) return std::nullopt;
  const std::string name = file.substr(0, file.size() - suffix.size());
  if (!check_scan_name(name)) return std::nullopt;
  return name;
}

/// File names in the directory; none if there is no directory.
Result<std::vector<std::string>> image_files(const std::string& runtime_directory) {
  auto directory = open_images(runtime_directory, false);
  if (!directory && directory.error().code == ENOENT) return std::vector<std::string>();
  if (!directory) return tl::unexpected(directory.error());
  return names_in(directory->get());
}

std::string names_of(const std::vector<KeptImage>& images) {
  std::string text;
  for (const KeptImage& image : images) text += (text.empty() ? "" : ", ") + image.name;
  return text.empty() ? "none is kept" : "kept: " + text;
}

tl::unexpected<Error> no_such_image(const std::vector<KeptImage>& images, const std::string& wanted) {
  return fail(ENOENT, wanted.empty() ? fmt::format("no image ({})", names_of(images))
                                     : fmt::format("no image '{}' ({})", wanted, names_of(images)));
}

Result<ResultsFilesystem> open_only(const std::vector<KeptImage>& images) {
  if (images.empty()) return no_such_image(images, "");
  if (images.size() > 1) return fail(EMLINK, fmt::format("several images are there ({}): name one", names_of(images)));
  return ResultsFilesystem::open(images.front().file);
}

/// A word that is no path is taken for a file only if the file is an image: a scan may
/// have the name of any file that happens to lie here.
bool means_image_file(const std::string& word) {
  struct stat facts {};
  if (::stat(word.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return false;
  return word.find('/') != std::string::npos || image::is_image(word);
}

/// Newest of those that `fits` accepts; complete ones before the others.
template <class Fits>
Result<ResultsFilesystem> newest(const std::vector<KeptImage>& images, const std::string& wanted, Fits&& fits) {
  std::optional<ResultsFilesystem> best;
  const auto rank = [](const ResultsFilesystem& results) {
    return std::pair(results.state() == image::ImageState::complete, results.facts().started_ns);
  };
  for (const KeptImage& kept : images) {
    auto results = ResultsFilesystem::open(kept.file);
    if (!results || !fits(results->facts().roots)) continue;  // a damaged one is told of when it is named
    if (!best || rank(*best) < rank(*results)) best = *std::move(results);
  }
  if (!best) return no_such_image(images, wanted);
  return *std::move(best);
}

Result<ResultsFilesystem> open_named(const std::string& runtime_directory, const std::string& name) {
  auto images = kept_images(runtime_directory);
  if (!images) return tl::unexpected(images.error());
  for (const KeptImage& kept : *images)
    if (kept.name == name) return ResultsFilesystem::open(kept.file);
  return no_such_image(*images, name);
}

/// USER/NAME, unless it does not look like it.
std::optional<Result<ResultsFilesystem>> open_of_user(const std::string& wanted) {
  const auto slash = wanted.find('/');
  if (slash == std::string::npos || wanted.find('/', slash + 1) != std::string::npos) return std::nullopt;
  const auto theirs = runtime_directory_of(wanted.substr(0, slash));
  if (!theirs) return std::nullopt;
  return open_named(*theirs, wanted.substr(slash + 1));
}

}  // namespace

Result<std::string> kept_image_file(const std::string& runtime_directory, const std::string& name) {
  if (auto good = check_scan_name(name); !good) return tl::unexpected(good.error());
  auto directory = open_images(runtime_directory, true);
  if (!directory) return tl::unexpected(directory.error());
  return path_of(runtime_directory, name, kFinished);
}

Result<std::vector<KeptImage>> kept_images(const std::string& runtime_directory) {
  auto files = image_files(runtime_directory);
  if (!files) return tl::unexpected(files.error());
  std::map<std::string, KeptImage> images;
  for (const std::string& file : *files)
    if (const auto name = scan_of(file, kFinished)) images[*name] = {*name, path_of(runtime_directory, *name, kFinished), false};
  for (const std::string& file : *files) {
    const auto name = scan_of(file, kGrowing);
    if (!name || images.count(*name)) continue;
    const std::string path = path_of(runtime_directory, *name, kGrowing);
    if (image::is_being_written(path)) images[*name] = {*name, path, true};
  }
  std::vector<KeptImage> list;
  list.reserve(images.size());
  for (auto& [name, image] : images) list.push_back(std::move(image));
  return list;
}

Result<void> remove_kept_image(const std::string& runtime_directory, const std::string& name) {
  if (auto good = check_scan_name(name); !good) return good;
  auto directory = open_images(runtime_directory, false);
  if (!directory) return tl::unexpected(directory.error());
  if (::unlinkat(directory->get(), (name + std::string(kFinished)).c_str(), 0) != 0)
    return fail_errno(fmt::format("cannot remove the image '{}'", name));
  return {};
}

Result<std::vector<std::string>> remove_abandoned_images(const std::string& runtime_directory) {
  auto files = image_files(runtime_directory);
  if (!files) return tl::unexpected(files.error());
  std::vector<std::string> removed;
  for (const std::string& file : *files) {
    const auto name = scan_of(file, kGrowing);
    if (name && image::remove_if_abandoned(path_of(runtime_directory, *name, kGrowing))) removed.push_back(*name);
  }
  return removed;
}

Result<ResultsFilesystem> open_image(const std::string& wanted) {
  const auto images = kept_images(runtime_directory());
  if (!images) return tl::unexpected(images.error());
  if (wanted.empty()) return open_only(*images);
  for (const KeptImage& kept : *images)
    if (kept.name == wanted) return ResultsFilesystem::open(kept.file);
  if (means_image_file(wanted)) return ResultsFilesystem::open(wanted);
  if (wanted.front() != '/') {
    if (auto theirs = open_of_user(wanted)) return *std::move(theirs);
    return no_such_image(*images, wanted);
  }
  std::string root = wanted;
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  return newest(*images, wanted, [&](const std::vector<std::string>& roots) {
    return std::find(roots.begin(), roots.end(), root) != roots.end();
  });
}

std::string line_of_image_error(const Error& error) {
  const bool says_all = error.code == ENOENT || error.code == EMLINK || error.code == EPROTO;
  return says_all ? error.what : error.message();
}

Result<ResultsFilesystem> open_image_with(const std::string& path) {
  const auto images = kept_images(runtime_directory());
  if (!images) return tl::unexpected(images.error());
  return newest(*images, path, [&](const std::vector<std::string>& roots) {
    return std::any_of(roots.begin(), roots.end(), [&](const std::string& root) { return lies_below(path, root); });
  });
}

}  // namespace pwalk::ipc
