#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pwalk/base/result.h"
#include "pwalk/scan_options.h"
#include "pwalk/schema/columns.h"
#include "pwalk/schema/entry_batch_builder.h"

namespace pwalk {

namespace sys {
struct Calls;
}

/// How attributes are asked under a root.
enum class AskBy : unsigned char { threads, trial, ring };

/// Where a worker runs.
struct Place {
  std::vector<unsigned> cpus;
  unsigned node = 0;  ///< NUMA node
  friend bool operator==(const Place&, const Place&) = default;
};

/// One root, resolved.
struct PlannedRoot {
  std::string given;       ///< as the user wrote it; what is opened
  std::string path;        ///< absolute and lexical; what rows show
  std::string mount;       ///< mount point, "" if it could not be told
  std::string filesystem;  ///< type as in mountinfo
  std::uint64_t mount_id = 0;  ///< 0: not known
  std::uint64_t device = 0;
  Profile profile = Profile::local;
  Coherence coherence = Coherence::normal;
  unsigned split_names = 0;  ///< names per part when idle threads help with a large directory; 0: they do not
  bool queue_by_server = false;  ///< its directories wait by metadata server
  AskBy ask_by = AskBy::threads;
  bool direct = false;     ///< its directories take O_DIRECT
  int error = 0;           ///< errno if the root cannot be stat'ed; it is not walked
};

/// One line of --explain.
struct Decision {
  std::string subject;  ///< "threads"
  std::string choice;   ///< "32"
  std::string reason;   ///< "profile nfs"
};

/// What was decided: options, machine, mounts and kernel features resolved.
/// Immutable once made; shared by all workers.
struct ScanPlan {
  ScanOptions options;
  std::vector<PlannedRoot> roots;
  schema::ColumnSet columns;
  std::uint32_t statx_mask = 0;      ///< smallest mask that yields the columns; 0: no stat
  bool use_statx = true;             ///< asked for, and this kernel has it; else fstatat
  bool use_getdents = true;          ///< likewise; else readdir
  unsigned threads = 1;                    ///< to start with
  unsigned least_threads = 1;              ///< never fewer; the three are the same if the number is fixed
  unsigned most_threads = 1;               ///< never more
  std::vector<Place> places;               ///< of workers, in turn; empty: anywhere
  bool local_memory = false;               ///< on the worker's NUMA node
  std::size_t dirent_buffer_bytes = 64 * 1024;
  std::size_t frontier_bytes = 32 << 20;   ///< budget of waiting directories, all workers together
  unsigned descriptor_budget = 0;          ///< directories kept open at most
  std::vector<std::string> filter_names;   ///< directories that are not entered, of --filter-names
  std::vector<std::string> exclude_globs;  ///< --exclude and the lines of --exclude-from
  std::vector<Decision> decisions;
  std::vector<std::string> notices;        ///< what was asked for and cannot be had, a line each

  /// Some root lies on a server: its calls sleep even where nothing shows it.
  bool waits_for_servers() const {
    return std::any_of(roots.begin(), roots.end(), [](const PlannedRoot& root) { return root.profile != Profile::local; });
  }

  /// When a batch is full that goes to a sink which takes at most so many bytes.
  schema::BatchLimits batch_limits(std::size_t most_bytes) const;

  /// For people: one decision per line, aligned. Control bytes are escaped.
  std::string explain() const;
};

/// Resolves. Errors: EINVAL for options that contradict each other or cannot
/// be (the message names the option and what is allowed); ENOENT only for an
/// --exclude-from file. A root that is missing is a PlannedRoot with an errno.
/// `calls` is the system-call table (sys::real_calls() in production).
Result<ScanPlan> resolve_plan(const ScanOptions& options, const std::vector<std::string>& roots,
                              const sys::Calls& calls);

/// The same with the real system calls.
Result<ScanPlan> resolve_plan(const ScanOptions& options, const std::vector<std::string>& roots);

}  // namespace pwalk
