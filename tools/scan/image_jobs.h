#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli_options.h"
#include "pwalk/publish/publisher.h"
#include "pwalk/scan_plan.h"

/// --save and --keep, before the walk.
namespace pwalk::tools {

/// Makes the walk leave out the image that it is written to: FILE and FILE.partial
/// become exclude globs if they lie below one of the roots.
void leave_out_saved_file(const std::string& file, const std::vector<std::string>& roots, TraversalOptions& traversal);

/// Begins the files of --save and --keep. Errors: those of ImageWriter::create().
Result<std::vector<publish::ImageJob>> begin_images(const publish::PublishOptions& options, const ScanPlan& plan,
                                                    const std::string& scan_name,
                                                    std::chrono::system_clock::time_point started);

}  // namespace pwalk::tools
