#include "old_directory.h"

#include <algorithm>
#include <cerrno>
#include <functional>

#include "pwalk/image/large_directory.h"

namespace pwalk::publish {
namespace {

bool is_before(const RowRun& a, const RowRun& b) {
  if (a.batch != b.batch) return std::less<>{}(a.batch, b.batch);
  return a.first < b.first;
}

}  // namespace

Result<void> OldDirectory::open(const ResultsFilesystem& results, const std::string& path) {
  results_ = &results;
  path_ = path.empty() ? "/" : path;  // as batches name it
  auto listed = results.list(path_, listing_);
  if (!listed && listed.error().code != ENOENT && listed.error().code != ENOTDIR) return listed;
  if (!listed) listing_ = {};
  stretches_.clear();
  std::size_t place = 0;
  for (const RowRun& run : listing_.runs()) {
    stretches_.push_back({run, place});
    place += run.count;
  }
  by_batch_ = stretches_;
  std::sort(by_batch_.begin(), by_batch_.end(), [](const Stretch& a, const Stretch& b) { return is_before(a.run, b.run); });
  taken_.assign(place, false);
  next_ = stretch_ = 0;
  return {};
}

Result<EntryRef> OldDirectory::take(std::string_view name) {
  std::optional<std::size_t> place;
  if (next_ < taken_.size() && entry_at(next_).name() == name) {
    place = next_;
  } else {
    auto found = find(name);
    if (!found) return tl::unexpected(found.error());
    place = *found;
  }
  if (!place) return EntryRef{};
  taken_[*place] = true;
  next_ = *place + 1;
  return entry_at(*place);
}

Result<std::optional<std::size_t>> OldDirectory::find(std::string_view name) const {
  if (taken_.size() < image::kLargeDirectory) return search(name);
  auto entry = results_->entry_in(path_, name);
  if (!entry) return tl::unexpected(entry.error());
  if (!*entry) return std::optional<std::size_t>();
  if (const auto place = place_of(*entry)) return place;
  return search(name);  // one of several rows of that name, of which the listing has another
}

std::optional<std::size_t> OldDirectory::place_of(const EntryRef& entry) const {
  const RowRun row{&entry.batch(), entry.row(), 1};
  const auto after = std::upper_bound(by_batch_.begin(), by_batch_.end(), row,
                                      [](const RowRun& at, const Stretch& stretch) { return is_before(at, stretch.run); });
  if (after == by_batch_.begin()) return std::nullopt;
  const auto& [run, start] = *std::prev(after);
  if (run.batch != row.batch || row.first - run.first >= run.count) return std::nullopt;
  return start + (row.first - run.first);
}

std::optional<std::size_t> OldDirectory::search(std::string_view name) const {
  std::size_t place = 0;
  for (const EntryRef entry : listing_) {
    if (entry.name() == name) return place;
    ++place;
  }
  return std::nullopt;
}

EntryRef OldDirectory::entry_at(std::size_t place) {
  const auto has_it = [&](const Stretch& stretch) { return place - stretch.start < stretch.run.count; };
  if (!has_it(stretches_[stretch_]))
    stretch_ = std::size_t(std::upper_bound(stretches_.begin(), stretches_.end(), place,
                                            [](std::size_t at, const Stretch& stretch) { return at < stretch.start; }) -
                           stretches_.begin()) - 1;
  const Stretch& stretch = stretches_[stretch_];
  return {*stretch.run.batch, stretch.run.first + std::uint32_t(place - stretch.start)};
}

}  // namespace pwalk::publish
