#include "pwalk/image/tree_walk.h"

#include <algorithm>

namespace pwalk {

Result<TreeWalk> TreeWalk::start(const ResultsFilesystem& results, std::string_view path, const TreeWalkOptions& options) {
  TreeWalk walk(results, options);
  auto entry = results.stat(path);
  if (!entry) return tl::unexpected(entry.error());
  walk.path_ = results.resolved(path);
  walk.entry_ = *entry;
  return walk;
}

Result<bool> TreeWalk::next() {
  if (!started_) {
    started_ = entering_ = true;
    entering_ = entry_.is_directory();
    return true;
  }
  if (entering()) {
    auto entered = enter();
    if (!entered) return tl::unexpected(entered.error());
  } else if (entry_.is_directory() && !leaving_ && options_.leaving) {
    leaving_ = true;  // not entered: its second visit follows the first at once
    return true;
  }
  return advance();
}

/// The next sibling, or the way back up.
Result<bool> TreeWalk::advance() {
  while (open_ != 0) {
    Frame& frame = frames_[open_ - 1];
    if (step(frame)) {
      if (++visited_ > results_.totals().rows)
        return fail(EPROTO, "image '" + results_.file() + "' repeats directories without end at '" + path_ + "'");
      return true;
    }
    path_.resize(frame.path_length);
    entry_ = frame.directory;
    depth_ = std::uint32_t(--open_);
    if (!options_.leaving) continue;
    leaving_ = listed_ = true;  // the frame that was closed still has its listing
    return true;
  }
  return false;
}

/// Opens a frame for the directory just visited.
Result<void> TreeWalk::enter() {
  if (auto listed = listing(); !listed) return tl::unexpected(listed.error());
  Frame& frame = frames_[open_++];
  frame.path_length = path_.size();
  frame.directory = entry_;
  frame.at = frame.listing.begin();
  frame.sorted.clear();
  frame.next_sorted = 0;
  if (options_.by_name) {
    frame.sorted.assign(frame.listing.begin(), frame.listing.end());
    std::sort(frame.sorted.begin(), frame.sorted.end(),
              [](const EntryRef& a, const EntryRef& b) { return a.name() < b.name(); });
  }
  return {};
}

bool TreeWalk::step(Frame& frame) {
  if (options_.by_name) {
    if (frame.next_sorted == frame.sorted.size()) return false;
    entry_ = frame.sorted[frame.next_sorted++];
  } else {
    if (frame.at == frame.listing.end()) return false;
    entry_ = *frame.at;
    ++frame.at;
  }
  path_.resize(frame.path_length);
  if (path_.back() != '/') path_ += '/';
  path_ += entry_.name();
  depth_ = std::uint32_t(open_);
  leaving_ = listed_ = false;
  entering_ = entry_.is_directory();
  return true;
}

/// The listing of a directory waits in the frame that entering it would open.
Result<const Listing*> TreeWalk::listing() {
  if (frames_.size() == open_) frames_.emplace_back();
  Frame& frame = frames_[open_];
  if (!listed_)
    if (auto done = results_.list(path_, frame.listing); !done) return tl::unexpected(done.error());
  listed_ = true;
  return &frame.listing;
}

}  // namespace pwalk
