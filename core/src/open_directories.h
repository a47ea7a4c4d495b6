#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cerrno>
#include <memory>
#include <mutex>
#include <vector>

#include "attribute_reader.h"
#include "directory_node.h"
#include "pwalk/base/cache_line.h"
#include "pwalk/scan_plan.h"
#include "sys/calls.h"

namespace pwalk {

/// A pinned descriptor, or why there is none.
struct Opened {
  int fd = -1;
  int error = 0;  ///< errno
  schema::Operation operation = schema::Operation::none;

  explicit operator bool() const { return error == 0; }
};

inline int error_of(const Opened& opened) { return opened.error; }
/// Of a call that answers with a negated errno.
inline int error_of(int result) { return result < 0 ? -result : 0; }
inline bool is_shortage(int error) { return error == EMFILE || error == ENFILE; }

/// Every directory descriptor of a walk. Opens one component at a time, relative
/// to the parent's descriptor, and keeps at most a budget of them open: above it
/// the idle ones that were put aside first are closed, and opened again when they
/// are needed. That is done from below where it can be: before a descriptor is
/// closed for good, the nearest ancestor that somebody waits for is reached from it
/// by `..`; otherwise by walking down from the nearest ancestor that is open. Each
/// step is compared with the (device, inode) seen before, so neither way can end
/// in another directory. Coming up a chain thus costs one step per level.
///
/// Who holds what:
///   user   wants the descriptor kept: the reader, every child not opened yet
///   pin    uses it right now; a user, and never for longer than one call unless
///          it is the reader
///   shelf  lists, per worker, the directories that may be idle: those left by
///          their reader with children to open, or put aside
/// A worker holds at most two pins, so a budget of two per worker cannot deadlock.
///
/// Shared by all workers; `worker` is the caller's number.
class OpenDirectories {
 public:
  /// `stop` ends waiting for descriptors.
  OpenDirectories(const sys::Calls& calls, const AttributeReader& attributes, const ScanPlan& plan,
                  const std::atomic<bool>& stop);

  /// Opens a directory for its reader, who becomes its user and has it pinned.
  /// Whatever comes of it, the parent loses a user.
  Opened open(DirectoryNode& node, unsigned worker);

  /// Pins what the caller is a user of, opening it again if it was given back.
  /// Errors: as operation `chdir`; ESTALE, another object has its name now.
  Opened pin(DirectoryNode& node, unsigned worker);

  /// The reader, pinned, puts the directory aside to go on with it later.
  void put_aside(DirectoryNode& node, unsigned worker);

  /// The reader, pinned, is done with it.
  void leave(DirectoryNode& node, unsigned worker);

  /// A child that will never be opened wants its parent's descriptor no more.
  void drop_user(DirectoryNode& node);

  /// For the reader: replaces its pinned descriptor, which went stale (ESTALE), by a new one, from
  /// the parent, under the same number, so that whoever else has it pinned goes on with the new one.
  /// The position is lost. False if it cannot be had.
  bool revive(DirectoryNode& node, int fd, unsigned worker);

  /// Runs an attempt again as long as it fails for want of descriptors and there is
  /// one to give back or hope that another worker closes one. An attempt to open a directory
  /// that failed holds no pin, so that waiting workers do not starve each other.
  template <class Attempt>
  auto with_patience(unsigned worker, Attempt&& attempt) {
    for (unsigned failures = 0;; ++failures) {
      const auto result = attempt();
      const int error = error_of(result);
      if (error == 0 && failures != 0) patience_ms_.store(kPatienceMs, std::memory_order_relaxed);
      if (!is_shortage(error) || !find_room(worker, failures)) return result;
    }
  }

  unsigned open_count() const { return open_.load(std::memory_order_relaxed); }

 private:
  using Shelved = boost::intrusive::list<
      DirectoryNode, boost::intrusive::member_hook<DirectoryNode, DirectoryNode::Hook, &DirectoryNode::shelf_hook>>;
  struct alignas(kFalseSharingRange) Shelf {
    std::mutex mutex;
    Shelved nodes;  ///< oldest first: those nearest to the root, needed last
  };

  /// How long all workers together wait in vain for somebody to close a descriptor.
  static constexpr int kPatienceMs = 5000;

  bool find_room(unsigned worker, unsigned failures);

  Opened open_below_renewed(DirectoryNode& node, int stale, unsigned worker);
  Opened open_anew(DirectoryNode& node, unsigned worker);
  enum class IfStale : unsigned char { fail, renew };  ///< the parent's descriptor
  Opened open_from_parent(DirectoryNode& node, unsigned worker, IfStale if_stale);
  int open_with(int extra_flags, int directory, const DirectoryNode& node);
  int open_as_wished(int directory, const DirectoryNode& node);
  Opened open_by_name(int directory, const DirectoryNode& node, unsigned worker);
  void make_room(unsigned worker);
  Opened pin_or_reopen(DirectoryNode& node, unsigned worker);
  Opened reopen_below(int directory, DirectoryNode& node, unsigned worker);

  void bring_back_ancestor(DirectoryNode& node, int fd);
  void climb(DirectoryNode& node, int fd, DirectoryNode& goal);
  bool take_back(DirectoryNode& node, int fd);

  void shelve(DirectoryNode& node, unsigned worker);
  void unshelve(DirectoryNode& node);
  bool give_back_one(unsigned worker);
  bool give_back_from(Shelf& shelf);
  void close(int fd);

  const sys::Calls& calls_;
  const AttributeReader& attributes_;
  const ScanPlan& plan_;
  const std::atomic<bool>& stop_;
  const unsigned workers_;
  const std::unique_ptr<Shelf[]> shelves_;
  // Counters only, relaxed: nothing is ordered by them.
  std::atomic<unsigned> budget_;
  std::atomic<unsigned> open_{0};
  std::atomic<bool> noatime_;   ///< false from the first refusal on
  std::atomic<bool> direct_{true};  ///< likewise
  std::atomic<int> patience_ms_;  ///< what is left of waiting for descriptors
  std::atomic<bool> gave_back_{false};  ///< ever
};

}  // namespace pwalk
