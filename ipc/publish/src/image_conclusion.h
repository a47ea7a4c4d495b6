#pragma once

#include "pwalk/publish/publisher.h"

namespace pwalk::publish {

/// The last steps of an image whose stream has ended: finished under its name, or, cut short and not
/// to be kept then, committed once more for those who read it.
Result<void> conclude_image(ImageJob& job, bool complete, ImageOutcome& outcome);

/// Where an image is and will be, for who does not wait for its writer.
struct ImageNames {
  std::string file, partial;
};
ImageNames names_of(const ImageJob& job);

/// Of an image whose writer is left behind while it finishes: an unfinished file goes, so that it can never
/// take FILE's place.
ImageOutcome give_up_image(const ImageNames& names);

/// What is to be told of an image that was built, or was not.
void note_outcome(const ImageJob& job, const Result<void>& built, ImageOutcome& outcome);

}  // namespace pwalk::publish
