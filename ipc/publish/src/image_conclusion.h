#pragma once

#include "pwalk/publish/publisher.h"

namespace pwalk::publish {

/// The last steps of an image whose stream has ended: finished under its name, or, cut short and not
/// to be kept then, committed once more for those who read it.
Result<void> conclude_image(ImageJob& job, bool complete, ImageOutcome& outcome);

/// What is to be told of an image that was built, or was not.
void note_outcome(const ImageJob& job, const Result<void>& built, ImageOutcome& outcome);

}  // namespace pwalk::publish
