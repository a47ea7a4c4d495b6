#include "image_conclusion.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>

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

ImageNames names_of(const ImageJob& job) { return {job.file, job.writer.partial_file()}; }

ImageOutcome give_up_image(const ImageNames& names) {
  ImageOutcome outcome;
  outcome.file = names.file;
  if (::unlink(names.partial.c_str()) == 0) {
    outcome.problem = "told to end while it was being finished, so '" + names.file + "' was not written";
  } else {  // it has got its name already
    std::error_code gone;
    outcome.bytes = std::filesystem::file_size(names.file, gone);
    outcome.complete = true;
  }
  return outcome;
}

void note_outcome(const ImageJob& job, const Result<void>& built, ImageOutcome& outcome) {
  outcome.bytes = job.writer.bytes();
  if (!built) outcome.problem = built.error().code == ECANCELED ? built.error().what : built.error().message();
}

}  // namespace pwalk::publish
