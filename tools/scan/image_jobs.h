#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli_options.h"
#include "pwalk/publish/publisher.h"
#include "pwalk/scan_plan.h"

/// --save and --keep, before the walk.
namespace pwalk::tools {

/// The image that is written to is left out of the walk: exclude globs for FILE and FILE.partial, for each of
/// the roots below which they lie.
std::vector<std::string> globs_of_saved_file(const std::string& file, const std::vector<std::string>& roots);

/// Which names a plan leaves out, without `own_globs`, those of the saved file: see ScanFacts::selection.
std::string selection_of(const ScanPlan& plan, const std::vector<std::string>& own_globs);

/// Begins the files of --save and --keep; `selection` goes into their facts. Errors: those of ImageWriter::create().
Result<std::vector<publish::ImageJob>> begin_images(const publish::PublishOptions& options, const ScanPlan& plan,
                                                    const std::string& scan_name, const std::string& selection,
                                                    std::chrono::system_clock::time_point started);

}  // namespace pwalk::tools
