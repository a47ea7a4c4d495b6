#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "directory_node.h"
#include "mount_table.h"
#include "pwalk/scan_options.h"
#include "pwalk/scan_plan.h"
#include "pwalk/scan_stats.h"

namespace pwalk {

/// What kind of filesystem is mounted somewhere, from all that tells: its type in
/// mountinfo ("fuse.beegfs" counts as beegfs), and where there is none its magic
/// number (statfs(2)). What is not known is local.
Profile profile_of_mount(const std::string& filesystem, std::uint64_t magic);

/// How the directories of one mount are walked.
struct MountTuning {
  Profile profile = Profile::local;
  Coherence coherence = Coherence::normal;
  unsigned split_names = 0;  ///< see PlannedRoot
  bool queue_by_server = false;  ///< likewise
};

/// The mounts a walk comes across. The plan knows those of its roots; others are
/// looked up when the walk first enters them, in mountinfo as it is then, since
/// entering can mount something. Any thread.
class MountProfiles {
 public:
  /// Both outlive this.
  MountProfiles(const ScanPlan& plan, const sys::Calls& calls) : plan_(plan), calls_(calls) {}

  /// How a directory below root number `root` is walked. `fd` is open on it.
  MountTuning tuning_of(std::uint32_t root, const Identity& directory, int fd);

  /// The mounts below a root that were entered and are not the root's own.
  std::vector<MountStats> entered(std::uint32_t root) const;

 private:
  struct Known {
    MountTuning tuning;
    MountStats told;
  };
  using Key = std::pair<std::uint32_t, std::uint64_t>;  ///< root; mount id, or device where ids are not told

  Known look_up(const Identity& directory, int fd) const;

  const ScanPlan& plan_;
  const sys::Calls& calls_;
  mutable std::mutex mutex_;
  std::map<Key, Known> known_;  ///< guarded by mutex_
};

}  // namespace pwalk
