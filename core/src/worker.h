#pragma once

#include <optional>
#include <vector>

#include "batch_writer.h"
#include "call_guard.h"
#include "dir_reader.h"
#include "directory_visit.h"
#include "opt_in_reader.h"
#include "path_cursor.h"
#include "statx_uring.h"
#include "walk.h"
#include "worker_stats.h"

namespace pwalk {

/// One thread of a walk. It owns a directory from open to close: reads a block,
/// asks each name's attributes in the order of the listing (what the look-ahead
/// of NFS, Lustre and GPFS expects), emits its row, queues what is a directory,
/// reads the next block. A failure becomes a row or a directory record and
/// nothing else.
class Worker {
 public:
  Worker(unsigned number, Walk& walk);

  /// Until nothing is outstanding. Throws GivenUp, and nothing else, when the watchdog has
  /// taken its work away while it hung in a call; nothing here may be touched then.
  void run();

  unsigned number() const { return number_; }
  /// The watchdog: what the thread does now, see CallGuard.
  const CallGuard& guard() const { return *guard_; }
  CallGuard& guard() { return *guard_; }
  /// A new thread, instead of one that was given up: tells of the directory that the call
  /// was about, leaves it, and runs on. Returns what is to be said of it. The other
  /// thread may come back any time.
  HungDirectory take_over();
  void run_on();
  /// The watchdog, who borrowed the worker: rows that wait in an unfinished batch go out.
  void flush_for_another();
  /// The watchdog, as the verdict of CallGuard::give_up(): takes what it needs from the
  /// other thread and leaves it what it may still write to.
  void disown();
  /// Before that, since it allocates.
  void prepare_to_disown();

  const WorkerStats& stats() const { return stats_; }

 private:
  using Visit = DirectoryVisit;

  // the walk
  bool step();
  template <class Call, class Undo>
  auto guarded(schema::Operation operation, Call&& call, Undo&& undo);
  template <class Call>
  [[gnu::always_inline]] auto guarded(schema::Operation operation, Call&& call) {
    return guarded(operation, std::forward<Call>(call), [](auto&) {});
  }
  template <class Wait>
  bool idle(Wait&& wait);
  bool controlled_step();
  void run_out_of_memory();
  void flush();
  void take_up(Visit visit);
  void start(Visit& visit);
  bool is_declined(const Visit& visit);
  void resume(Visit& visit);
  void read(Visit& visit, int fd);
  void read_blocks(Visit& visit, int fd);

  // what an earlier scan knew
  bool recognise(const Visit& visit);
  void repeat_rows(Visit& visit, int fd);
  void repeat_row(Visit& visit, schema::Entry& entry);
  void ask_directory(Visit& visit, int fd, std::string_view name);

  int read_block(Visit& visit, int fd);
  void take_block(Visit& visit, int fd);
  void put_aside(Visit& visit);
  void end(Visit& visit);
  void report(Visit& visit);

  // many names at once through a ring
  bool asks_by_ring(const Visit& visit);
  StatxUring* ring();
  void take_by_ring(Visit& visit, int fd, std::span<const Dirent> names);
  void try_both(Visit& visit, int fd, std::span<const Dirent> names);
  void collect_names(Visit& visit);

  // one large directory by several
  bool may_split(std::size_t names) const;
  void take_or_deal_out(Visit& visit, int fd, std::span<const Dirent> names);
  std::shared_ptr<const SharedBlock> share(std::span<const Dirent> names) const;
  void deal_out(Visit& visit, SplitDirectory& split, std::span<const Dirent> names);
  void take_part(Visit& visit, int fd, const NamePart& part);
  void help(const SplitDirectories::Help& job);
  void close_split(Visit& visit);

  // giving up
  void leave_split(Visit& visit);
  void tell_hung_root(Visit& visit);
  std::unique_ptr<DirReader> make_reader() const;
  static PartResult result_of(const Visit& visit);

  // opening
  Opened open_guarded(Visit& visit);
  bool open(Visit& visit, int& fd);
  bool admit(Visit& visit, bool was_known);
  bool revive(Visit& visit, int fd);

  // one name; inline into one frame, see AttributeReader::read()
  void take_name(Visit& visit, int fd, const Dirent& found);
  void look_at_age(bool at_each_name);
  [[gnu::noinline]] void take_names(Visit& visit, int fd, std::span<const Dirent> names);
  bool leaves_out(const Dirent& found);
  int ask_first(int fd, const char* name, int flags, unsigned mask, struct ::statx& answer);
  Identity ask(Visit& visit, int fd, const Dirent& found, schema::Entry& entry);
  int ask_once(int fd, const char* name, int flags, unsigned mask, struct ::statx& answer);
  unsigned mask_for(const Dirent& found) const;
  int flags_for(bool follow) const;
  void tune(const DirectoryNode& node, int fd);
  void ask_server(const DirectoryNode& node, int fd);
  void leave_servers();
  bool may_enter(const Visit& visit, const Dirent& found, const Identity& identity, schema::Entry& entry) const;
  void tell_where_it_leads(int fd, const Dirent& found, schema::Entry& entry);
  void queue(Visit& visit, const Dirent& found, const Identity& identity, const ChangeTimes& changed);
  void refuse_long_path(Visit& visit, std::string_view name);
  bool emit(Visit& visit, const schema::Entry& entry);
  std::string_view path_below_root(std::string_view name);

  // roots
  bool visit_root(Visit& visit);
  int ask_root(const PlannedRoot& root, struct ::statx& answer);
  void read_opt_ins(int directory, const char* name, schema::Entry& entry);

  schema::Entry blank_entry(std::string_view name, std::uint32_t depth) const;
  void account(RootTally& tally, const schema::Entry& entry);
  RootTally& tally_of(const Visit& visit) { return stats_.tallies[visit.node->root()]; }
  bool stopping() const { return walk_.stop.load(std::memory_order_relaxed); }
  void stop() { walk_.stop.store(true, std::memory_order_relaxed); }

  const unsigned number_;
  Walk& walk_;
  const ScanPlan& plan_;
  const schema::ColumnSet bare_columns_;  ///< the wanted ones that need no stat
  const schema::Entry blank_;             ///< of which only these are known
  WorkerStats stats_;
  std::unique_ptr<CallGuard> guard_ = std::make_unique<CallGuard>();
  schema::Operation doing_ = schema::Operation::none;  ///< the call that guard_ is about
  Visit* visit_ = nullptr;        ///< under way; lies on the stack of the thread
  SplitDirectory* helping_ = nullptr;  ///< the visit is to somebody else's directory
  bool is_root_told_ = false;     ///< the visit is a root's, and its row is out
  std::optional<Visit> taken_;    ///< what is known of a visit that was given up
  /// What threads that were given up may still write to: buffers, guards.
  std::vector<std::unique_ptr<DirReader>> left_readers_;
  std::vector<std::unique_ptr<CallGuard>> left_guards_;
  std::vector<std::unique_ptr<StatxUring>> left_rings_;
  std::vector<std::unique_ptr<OptInReader>> left_opt_ins_;
  BatchWriter writer_;
  std::unique_ptr<DirReader> reader_;
  std::unique_ptr<OptInReader> opt_in_;
  const std::unique_ptr<KnownDirectories> known_;  ///< or null
  std::string asked_name_;        ///< of a directory that known_ named, with its NUL
  PathCursor cursor_;
  MountTuning tuning_;            ///< of the directory being read
  bool directories_first_ = false;  ///< likewise
  std::uint32_t tuned_root_ = ~0u;
  std::uint64_t tuned_mount_ = 0, tuned_device_ = 0;
  std::optional<std::uint32_t> server_;   ///< metadata server of the directory being read, where it was asked for
  unsigned queue_ = ServerQueues::kNoServer;  ///< where what is found in it waits
  std::string_view path_;         ///< of the directory being read
  std::string scratch_;
  std::vector<Dirent> names_;             ///< of the block, where they are needed together
  std::vector<const char*> asked_;        ///< those a ring is asked for
  std::unique_ptr<StatxUring> ring_;
  bool is_ring_refused_ = false;
  StatxUring* ahead_ = nullptr;           ///< has the answer for the next name to be asked
  std::optional<SplitDirectory> split_;  ///< the directory being read, once parts of it were dealt out
  std::vector<Visit> aside_;      ///< put aside, the deepest last
  bool is_left_for_later_ = false;       ///< how read_blocks() ended
  unsigned names_since_look_ = 0; ///< names since the batch's age was looked at
};

}  // namespace pwalk
