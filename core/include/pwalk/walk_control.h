#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>

namespace pwalk {

/// Lets somebody who follows a walk directory by directory hold it back: no more than `run_ahead` directories
/// are opened beyond those that he acknowledged, and what he declines is not opened at all. A walk under
/// control also tells which links lead to a directory (flag `to_directory`), without entering them.
///
/// Every directory gets a directory record, and each is to be acknowledged once; the record of one that was not
/// opened because it was declined is neither complete nor an error. The walk never
/// waits for the rest of a directory that was begun, so whoever acknowledges what has ended goes on.
///
/// Thread-safe. Memory: at most kMostDeclined paths; the oldest are forgotten first, since declining only
/// saves work: what was opened before is told all the same.
class WalkControl {
 public:
  explicit WalkControl(std::uint64_t run_ahead) : run_ahead_(run_ahead) {}

  // Of the one who follows.

  /// So many more directories have been dealt with.
  void acknowledge(std::uint64_t directories);
  /// Nothing below this directory is wanted, nor itself if it has not been opened. `path` as rows show it,
  /// empty for `/`.
  void decline(std::string path);
  /// No bound from now on.
  void release();

  // Of the workers.

  /// Counts one more directory to open; false: too far ahead.
  bool admit();
  /// One that was admitted gets no record.
  void give_back();
  /// Sleeps until admit() may succeed, at most kLongestWait.
  void wait_for_room();
  /// `path` or a directory above it was declined.
  bool is_declined(std::string_view path) const;

 private:
  static constexpr std::size_t kMostDeclined = 1 << 16;
  static constexpr std::chrono::milliseconds kLongestWait{100};

  struct PathHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view path) const { return std::hash<std::string_view>{}(path); }
  };

  bool has_room() const { return released_ || opened_ < acknowledged_ + run_ahead_; }

  const std::uint64_t run_ahead_;
  std::mutex room_mutex_;
  std::condition_variable room_;
  std::uint64_t opened_ = 0, acknowledged_ = 0;  ///< guarded by room_mutex_
  bool released_ = false;                        ///< likewise

  mutable std::mutex declined_mutex_;
  std::unordered_set<std::string, PathHash, std::equal_to<>> declined_;  ///< guarded by declined_mutex_
  std::deque<std::string> oldest_declined_;                              ///< likewise
  /// Spares the workers the lock while nothing was declined. Relaxed: a worker may notice late.
  std::atomic<bool> any_declined_{false};
};

}  // namespace pwalk
