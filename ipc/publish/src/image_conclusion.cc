#include "image_conclusion.h"

#include <chrono>

namespace pwalk::publish {
namespace {

std::int64_t now_ns() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Result<void> conclude_image(ImageJob& job, bool complete, ImageOutcome& outcome) {
  if (!complete && !job.keep_when_cut_short) {
    // For those who read it: the file goes, but they see everything that was published.
    static_cast<void>(job.writer.commit_as_cut_short());
    return fail(ECANCELED, "the scan was cut short, so '" + job.file + "' was not written");
  }
  outcome.complete = complete;
  return job.writer.finish(complete ? image::ImageState::complete : image::ImageState::cut_short, now_ns());
}

void note_outcome(const ImageJob& job, const Result<void>& built, ImageOutcome& outcome) {
  outcome.bytes = job.writer.bytes();
  if (!built) outcome.problem = built.error().code == ECANCELED ? built.error().what : built.error().message();
}

}  // namespace pwalk::publish
