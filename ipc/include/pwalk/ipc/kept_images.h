#pragma once

#include <string>
#include <vector>

#include "pwalk/base/result.h"
#include "pwalk/image/results_filesystem.h"

/// Images that outlive their scanners: `.images/NAME.img` below the runtime
/// directory, and `NAME.img.partial` while one is built.
namespace pwalk::ipc {

struct KeptImage {
  std::string name;
  std::string file;      ///< the finished image, or what is being built if there is none
  bool growing = false;  ///< `file` is being built
};

/// Where the image of the scan `name` belongs; its directory (0700) is made.
/// Errors: those of open_runtime_directory(); EINVAL, no name of a scan.
Result<std::string> kept_image_file(const std::string& runtime_directory, const std::string& name);

/// By name. What a dead scanner left unfinished is not among them.
Result<std::vector<KeptImage>> kept_images(const std::string& runtime_directory);

/// Removes the finished image of that name; whoever has it open keeps it. ENOENT.
Result<void> remove_kept_image(const std::string& runtime_directory, const std::string& name);

/// Removes unfinished images that nobody is building any more. Returns their names.
Result<std::vector<std::string>> remove_abandoned_images(const std::string& runtime_directory);

/// Opens what a user means by SCAN: the name of a scan (or USER/NAME) with a kept image,
/// an image file, a root's absolute path (the newest complete one of several); empty:
/// the only kept image there is. Errors: ENOENT (the message names those there
/// are); EMLINK, several; and those of ResultsFilesystem::open().
Result<ResultsFilesystem> open_image(const std::string& wanted);

/// The line to print of an error of opening or reading an image: those that say all of it in their
/// own words (nothing of that name, several, damaged), or these and what the system says.
std::string line_of_image_error(const Error& error);

/// Opens the newest complete kept image one of whose roots is `path` or lies above it;
/// a growing one if none is complete. ENOENT.
Result<ResultsFilesystem> open_image_with(const std::string& path);

}  // namespace pwalk::ipc
