#include "split_directories.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include "saturated.h"

namespace pwalk {

void SplitDirectories::post(SplitDirectory& directory, std::vector<NamePart> parts) {
  const auto count = unsigned(parts.size());
  {
    const std::lock_guard lock(mutex_);
    const bool is_listed = !directory.waiting.empty();
    if (!is_listed) with_parts_.reserve(with_parts_.size() + 1);  // first what may fail: all of them wait, or none
    directory.waiting.insert(directory.waiting.end(), std::make_move_iterator(parts.begin()), std::make_move_iterator(parts.end()));
    if (!is_listed) with_parts_.push_back(&directory);
  }
  frontier_.add_parts(count);
}

std::optional<NamePart> SplitDirectories::take_own(SplitDirectory& directory, std::size_t leave) {
  const std::lock_guard lock(mutex_);
  if (directory.waiting.size() <= leave) return std::nullopt;
  NamePart part = std::move(directory.waiting.front());
  directory.waiting.pop_front();
  if (directory.waiting.empty()) withdraw(directory);
  frontier_.remove_parts(1);
  return part;
}

bool SplitDirectories::is_helped(const SplitDirectory& directory) const {
  const std::lock_guard lock(mutex_);
  return directory.helped;
}

PartResult SplitDirectories::close(SplitDirectory& directory) {
  std::unique_lock lock(mutex_);
  frontier_.remove_parts(unsigned(directory.waiting.size()));
  directory.waiting.clear();
  withdraw(directory);
  // The time limit is for safety only: done() rings. A helper hangs where we would, too.
  while (directory.taken != 0) finished_.wait_for(lock, std::chrono::seconds(1));
  return directory.sum;
}

std::optional<SplitDirectories::Help> SplitDirectories::take_any() {
  if (!frontier_.has_parts()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (with_parts_.empty()) return std::nullopt;
  SplitDirectory& directory = *with_parts_.back();
  // The last that was listed: the owner works from the front.
  Help help{&directory, std::move(directory.waiting.back())};
  directory.waiting.pop_back();
  ++directory.taken;
  directory.helped = true;
  if (directory.waiting.empty()) withdraw(directory);
  frontier_.remove_parts(1);
  return help;
}

void SplitDirectories::done(SplitDirectory& directory, const PartResult& result) {
  const std::lock_guard lock(mutex_);
  PartResult& sum = directory.sum;
  sum.entries += result.entries;
  sum.bytes = saturated_sum(sum.bytes, result.bytes);
  if (sum.error == 0) sum.error = result.error, sum.operation = result.operation;
  --directory.taken;
  // Under the mutex: once the owner knows, the directory is gone.
  finished_.notify_all();
}

void SplitDirectories::withdraw(SplitDirectory& directory) {
  const auto at = std::find(with_parts_.begin(), with_parts_.end(), &directory);
  if (at != with_parts_.end()) with_parts_.erase(at);
}

}  // namespace pwalk
