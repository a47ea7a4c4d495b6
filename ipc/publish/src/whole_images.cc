#include "whole_images.h"

#include <utility>

namespace pwalk::publish {
namespace {

/// There is one stream, whatever the scan's lanes.
constexpr std::uint32_t kLane = 0;

}  // namespace

WholeImages::WholeImages(std::vector<ImageJob> jobs) {
  for (ImageJob& job : jobs) {
    Job& added = jobs_.emplace_back();
    added.outcome.file = job.file;
    names_.push_back(names_of(job));
    added.image = std::move(job);
  }
}

void WholeImages::append(const schema::EntryBatchView& batch) {
  const std::lock_guard lock(mutex_);
  for (Job& job : jobs_) {
    if (!job.image) continue;
    image::ImageWriter& writer = job.image->writer;
    auto added = writer.append(kLane, sequence_, batch);
    if (added && writer.commit_due()) added = writer.commit();
    if (!added) end(job, added);
  }
  ++sequence_;
}

void WholeImages::commit_if_due() {
  const std::lock_guard lock(mutex_);
  for (Job& job : jobs_) {
    if (!job.image || !job.image->writer.commit_due()) continue;
    if (auto committed = job.image->writer.commit(); !committed) end(job, committed);
  }
}

std::vector<ImageOutcome> WholeImages::finish(bool complete) {
  const std::lock_guard lock(mutex_);
  std::vector<ImageOutcome> outcomes;
  for (Job& job : jobs_) {
    if (job.image) end(job, conclude_image(*job.image, complete, job.outcome));
    outcomes.push_back(job.outcome);
  }
  return outcomes;
}

std::vector<ImageOutcome> WholeImages::give_up() const {
  std::vector<ImageOutcome> outcomes;
  for (const ImageNames& names : names_) outcomes.push_back(give_up_image(names));
  return outcomes;
}

/// An unfinished file gives its space back at once.
void WholeImages::end(Job& job, const Result<void>& built) {
  note_outcome(*job.image, built, job.outcome);
  job.image.reset();
}

}  // namespace pwalk::publish
