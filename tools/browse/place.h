#pragma once

#include <string>
#include <vector>

#include "pwalk/base/result.h"
#include "pwalk/image/results_filesystem.h"

/// Where a browsing command looks: an image, and a path in it.
namespace pwalk::tools {

struct Place {
  ResultsFilesystem results;
  std::string path;  ///< absolute
};

/// What a word of the command line means: `SCAN:/path`; a path of a tree that has a kept image,
/// also from the working directory; a SCAN (its roots, one place each). A word without a slash
/// is a SCAN first. Empty: the only image there is.
/// Errors: ENOENT, EMLINK (the message is the whole line), and those of opening.
Result<std::vector<Place>> find_places(const std::string& word);

/// The places of all words, or of no word. Prints what is wrong, as `program`, and
/// returns none then. Says on stderr, to a terminal, of what time the answer will be.
std::vector<Place> places_or_complain(const std::string& program, const std::vector<std::string>& words);

}  // namespace pwalk::tools
