#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pwalk/base/option_value.h"
#include "pwalk/base/result.h"
#include "pwalk/ipc/scan_directory.h"
#include "pwalk/ipc/scan_figures.h"

namespace pwalk::ipc {

enum class HugePages : std::uint8_t { automatic, require, off };

struct SessionOptions {
  std::string name = {};                  ///< taken as it is; see unique_scan_name()
  std::vector<std::string> roots = {};    ///< absolute, for people and for lookup
  std::uint64_t pool_bytes = 256u << 20;  ///< at least 2 MiB; rounded up to whole blocks
  HugePages huge_pages = HugePages::automatic;
  bool lends_pool = true;                 ///< views of the pool; else other processes copy every batch out of it
  std::chrono::nanoseconds group_lease = std::chrono::seconds(60);  ///< how long a member may keep a batch
  std::uint32_t group_attempts = 5;  ///< so often a batch is taken from a member, then nobody gets it again; 1 to 63
  std::chrono::nanoseconds group_linger = std::chrono::seconds(10);  ///< a group without members is dissolved
  /// Members of this group may attach too; none: only the same user, and root.
  std::optional<gid_t> share_group = {};
  unsigned lanes = 0;  ///< 0: one per CPU this process may use; fewer if the pool is small
  /// Per lane, over again from the front, the NUMA node whose CPUs write it: its blocks are taken there as long as
  /// there are any. Empty or all the same: wherever the kernel likes.
  std::vector<unsigned> lane_nodes = {};
};

/// 256 MiB, but never above a quarter of the memory this process may use (its
/// cgroups' limits, the machine), and at least 2 MiB; whole blocks.
std::uint64_t default_pool_bytes();

/// The memory that was obtained, for --explain and --json.
struct PoolReport {
  std::string pages;   ///< "2M reserved", "2M transparent", "2M transparent (part)" or "4K"
  std::string reason;  ///< why not better, or ""
  std::uint64_t bytes = 0;
  std::uint32_t blocks = 0;
  unsigned lanes = 0;
  std::vector<unsigned> nodes = {};  ///< NUMA nodes among which lanes and their blocks are divided; empty: not so
};

/// One batch to publish; the bytes are copied.
struct OutgoingBatch {
  std::span<const std::byte> bytes;
  std::uint32_t rows = 0, records = 0;
  std::uint64_t file_bytes = 0, content_hash = 0;
};

/// Consumers at one moment.
struct Attendance {
  unsigned attached = 0;      ///< reading now
  std::uint64_t ever = 0;     ///< attached at any time
  bool all_finished = false;  ///< nobody is attached who has not taken the last batch
};

/// A group's share of the work so far.
struct GroupStatus {
  std::string name;
  unsigned members = 0;
  std::uint64_t done_batches = 0;
  std::uint64_t redeliveries = 0;  ///< times a batch was taken from a member and offered again
  std::uint64_t poisoned_batches = 0, poisoned_rows = 0;  ///< given up after too many attempts
  bool dissolved = false;  ///< for want of members, or evicted, before everything was done
};

/// The producer's end of a scan: pool, lanes, socket, consumers.
///
/// Threads: publish() by any worker, concurrently; serve() by one thread, the
/// control thread; the rest by any thread. Destruction (after the workers have
/// stopped) removes the scan from the runtime directory; views that consumers
/// hold stay valid, since the memory is theirs too.
class ScanSession {
 public:
  /// Makes pool, control page and socket, then appears in the runtime directory
  /// under its name, all or nothing. Errors: EEXIST, a live scan has that name;
  /// ENOMEM, the pool cannot be had (the message names the shortage); EINVAL, a
  /// bad name or size; EPERM, the runtime directory is not safe. Raises the
  /// process's soft limit of open files to the hard one: each consumer takes three.
  static Result<ScanSession> create(const SessionOptions& options);
  ScanSession(ScanSession&&) noexcept;
  ~ScanSession();

  const std::string& name() const;
  const PoolReport& pool() const;
  /// A quarter of the pool: no batch above this is ever taken.
  std::size_t max_batch_bytes() const;

  /// Publishes one batch to every consumer. Waits while the pool is full, as long
  /// as it takes. ECANCELED after stop(); EMSGSIZE above max_batch_bytes().
  Result<void> publish(unsigned worker, const OutgoingBatch& batch);

  /// Serves the socket for at most `timeout`: attaches, detaches, deaths, returns.
  /// Also returns early when `wake()` is called. Never blocks longer.
  void serve(std::chrono::milliseconds timeout);
  /// Ends a serve() under way; any thread. Async-signal-safe.
  void wake();

  /// A full pool may be reused although nobody is attached (`--json`); otherwise
  /// it waits for a consumer to come.
  void reuse_without_consumers(bool allowed);

  /// The end of the stream: nothing is published afterwards. Consumers read what
  /// is there and then learn `complete`.
  void finish(bool complete);
  /// Makes publish() refuse from now on and wakes those who wait in it.
  void stop();

  Attendance attendance() const;
  /// True while a publish() waits for room.
  bool starved() const;
  /// Time publish() has waited, all workers together.
  std::chrono::nanoseconds backpressure() const;
  std::uint64_t batches() const;
  /// Why the pool could not grow to its full size; "" as long as it could.
  std::string pool_shortage() const;
  std::vector<ConsumerStatus> consumers() const;
  /// Groups that there are and that there were.
  std::vector<GroupStatus> groups() const;

  /// Notes who holds back a full pool, and for how long; to be called about ten
  /// times a second. With `evict_after` those are evicted who in all that time did
  /// not get past what there was at its beginning: what they had taken stays
  /// theirs until they give it back or die, the rest they will not see. Consumers
  /// in the scanner's own process are spared; with `only_who_read_on` those, too, who would
  /// not go on in the image. Returns who was evicted just now.
  std::vector<ConsumerStatus> watch_slow_consumers(std::optional<std::chrono::nanoseconds> evict_after,
                                                   bool only_who_read_on = false);

  /// The image that is being built of this scan, FILE.partial by its absolute path, for
  /// latecomers; with `goes_on` also for consumers that are evicted. "": there is none any more.
  void offer_image(std::string partial_file, bool goes_on);

  /// Live figures for those who ask over the socket (state, entries, errors); control thread.
  void set_status(std::string state, std::uint64_t entries, std::uint64_t errors);
  /// Live figures for consumers, who read them from shared memory, and for those who ask; control thread.
  void set_figures(const ScanFigures& figures);

 private:
  struct Impl;
  explicit ScanSession(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// `wanted` if no scan in the runtime directory has it, else wanted-2, wanted-3, ...
/// `wanted` is first made a valid name ("/" becomes "root").
std::string unique_scan_name(const std::string& wanted);

}  // namespace pwalk::ipc
