#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "control_memory.h"
#include "group_books.h"
#include "pool_accounts.h"
#include "pwalk/base/unique_fd.h"
#include "pwalk/ipc/scan_session.h"
#include "slow_watch.h"

namespace pwalk::ipc {

/// Who wants to attach, and how.
struct Applicant {
  StartAt start = StartAt::first;
  std::string label = {};    ///< what it calls itself
  std::string command = {};  ///< its process's name; "" if the scanner cannot see it
  pid_t pid = 0;             ///< likewise; 0 if not
  std::string group = {};    ///< whose member it wants to be; "" for none
  bool reads_on = false;     ///< in the image, if it is evicted
};

struct Seat;

/// How many blocks a consumer may keep pinned.
struct Grant {
  std::uint32_t blocks = 0;
  bool late = false;  ///< what there is when half the pool has been granted
};

/// The scanner's end of one group: a single consumer in the accounts, whose batches
/// its members share. Guarded by the Distributor's mutex.
struct Group {
  Group(std::string called, GroupMemory shared) : name(std::move(called)), memory(std::move(shared)) {}

  const std::string name;
  GroupMemory memory;
  PoolAccounts::ConsumerId id = 0;
  std::uint64_t missed_rows = 0;
  std::unique_ptr<GroupBooks> books;
  std::vector<Seat*> members;  ///< by number; null: free
  std::size_t woken = 0;       ///< whose turn it is to be woken
  std::optional<SlowWatch::Clock::time_point> empty_since;
  SlowWatch slowness;
  bool roll_called = false;  ///< its members have been woken since the last batch was claimed
  bool all_asked = false;  ///< nothing is unclaimed, and whoever has something has asked for more since anything moved
  GroupState state = GroupState::open;
  bool forgotten = false;  ///< by the accounts: closed, and nobody of it reads anything
};

/// The scanner's end of one consumer. Everything but `memory` and `kick` is
/// guarded by the Distributor's mutex.
struct Seat : std::enable_shared_from_this<Seat> {
  Seat(Applicant applicant, ConsumerMemory shared, UniqueFd eventfd)
      : who(std::move(applicant)),
        memory(std::move(shared)),
        kick(std::move(eventfd)),
        returns(memory.return_reader()) {}

  const Applicant who;
  ConsumerMemory memory;
  UniqueFd kick;  ///< eventfd by which the consumer says that something came back
  ReturnReader<Atomics> returns;
  PoolAccounts::ConsumerId id = 0;  ///< its group's, if it is a member
  std::shared_ptr<Group> group;     ///< null: it reads everything
  std::uint32_t member = 0;         ///< its number in the group
  bool told_end = false;            ///< that nothing more comes to it
  std::optional<std::uint64_t> asked_at;  ///< what moves_ was when it was last seen asleep
  SlowWatch::Clock::time_point next_settled_look{};
  std::uint32_t sleep = 0;  ///< the number of the last one that was seen, and since when
  SlowWatch::Clock::time_point sleep_since{};
  std::uint32_t roll_call = 0;  ///< the sleep it was woken from to see whether it is there
  Grant grant;  ///< never shrinks. A member of a group: none, it needs none
  bool attached = true;
  bool expelled = false;  ///< caught lying; nothing on its page is looked at again
  bool evicted = false;   ///< too slow; it still gives back what it had taken
  SlowWatch slowness;
};

struct PoolPart;

/// Brings batches into the pool and to every consumer, and takes them back.
///
/// One mutex guards the books (PoolAccounts), the list of seats and the totals;
/// it is held for a few hundred nanoseconds per batch, never while bytes are
/// copied or a system call sleeps. Thread-safe throughout.
class Distributor {
 public:
  /// Both must outlive it. `pool` is the whole pool, writable, of which the first `ready` bytes are there.
  Distributor(std::span<std::byte> pool, ControlMemory& control, std::uint64_t ready);
  /// The same for several NUMA nodes: what is there of the pool, and per lane the home that its blocks are to
  /// lie on, see PoolAccounts.
  Distributor(std::span<std::byte> pool, ControlMemory& control, std::span<const PoolPart> parts,
              std::vector<std::uint16_t> homes);

  /// `grow` makes more of a pool that is not all there, for lanes of `home`, and returns how many bytes are
  /// there then, an error if there is no memory for it: then the pool stays as large as it is. It is called
  /// by one publisher at a time. Before anything is published.
  using Grow = std::function<Result<std::uint64_t>(std::uint16_t home)>;
  void make_as_needed(Grow grow);
  /// Why the pool is smaller than planned, and how large it is; "" if it is not.
  std::string shortage() const;

  std::size_t max_batch_bytes() const { return pool_.size() / 4; }

  /// See ScanSession::publish().
  Result<void> publish(unsigned worker, const OutgoingBatch& batch);
  void finish(bool complete);
  void stop();

  struct Admission {
    std::shared_ptr<Seat> seat;
    std::uint64_t missed_rows = 0;
  };
  /// Makes a consumer's memory and registers it. ENODATA: gone_rows() rows are gone
  /// and StartAt::first was asked.
  Result<Admission> attach(Applicant applicant);

  /// Before anybody attaches. `linger`: how long a group without members is kept.
  void govern_groups(const GroupRules& rules, std::chrono::nanoseconds linger);
  /// What groups need besides events: leases, ends, dissolution. Often; it has its own pace.
  void look_after_groups();
  std::vector<GroupStatus> groups() const;

  std::uint64_t gone_rows() const;

  /// The consumer reads no further: what it had not taken is dropped.
  void detach(Seat& seat);
  /// Its process is gone, or everything it held has come back.
  void forget(const std::shared_ptr<Seat>& seat);
  /// Takes back what this consumer has returned.
  void drain(Seat& seat);
  /// True once a detached consumer has given everything back.
  bool settled(Seat& seat);
  /// Nothing is said to it any more: it was caught lying, or was evicted.
  bool dismissed(const Seat& seat) const;

  void reuse_without_consumers(bool allowed);
  Attendance attendance();
  bool starved() const;
  std::chrono::nanoseconds backpressure() const;
  std::uint64_t batches() const;
  std::vector<ConsumerStatus> consumers();
  /// See ScanSession::watch_slow_consumers().
  std::vector<ConsumerStatus> watch_slow_consumers(std::optional<std::chrono::nanoseconds> evict_after, bool only_who_read_on = false);

 private:
  using Clock = std::chrono::steady_clock;
  using Lock = std::unique_lock<std::mutex>;

  void grow_pool(Lock& lock, std::uint16_t home);
  Result<PoolAccounts::Placement> find_room(unsigned worker, std::uint32_t units, std::uint32_t rows);
  void wait_for_room(Lock& lock, Clock::time_point since, bool& waited);
  bool look_for_room(Lock& lock);
  void give_others_the_cpu(Lock& lock);
  void begin_waiting(Clock::time_point since);
  void declare();
  void end_waiting(Clock::time_point since);
  std::vector<std::shared_ptr<Seat>> conclude(const PoolAccounts::Placement& placement,
                                              const OutgoingBatch& batch);
  std::vector<std::shared_ptr<Seat>> sleepers();
  bool drain_everybody();
  bool take_back_from_everybody();
  bool take_back(Seat& seat);
  bool drain_locked(Seat& seat);
  void detach_locked(Seat& seat);
  enum class Observation : std::uint8_t { unchanged, moved, dishonest };
  Observation observe_cursors(Seat& seat);
  void expel(Seat& seat);
  void evict(Seat& seat);
  ConsumerStatus status_of(const Seat& seat) const;
  SlowWatch::Positions heads() const;
  void note_move();
  void room_may_have_come();
  Grant grant() const;
  void count_grant(const Grant& grant, int sign);

  Result<std::shared_ptr<Group>> group_for(const Applicant& applicant);
  Result<void> take_seat(Seat& seat, const std::shared_ptr<Group>& group, Admission& admission);
  bool drain_member(Seat& seat);
  void leave_group(Seat& seat);
  void look_after(Group& group, Clock::time_point now);
  void follow_books(Group& group);
  void close(Group& group);
  void wake_members(const Group& group);
  bool has_members(const Group& group) const;
  bool asks(Seat& seat, Clock::time_point now) const;
  static void tell(Seat& seat, MemberNotice notice);
  void end_for_members(Group& group, const std::vector<std::uint32_t>& owners, Clock::time_point now);
  void call_the_roll(Group& group, Clock::time_point now);
  static bool answered(const Seat& seat);
  void tell_the_end(Group& group, const std::vector<std::uint32_t>& owners, Clock::time_point now);
  void look_for_jam(Clock::time_point now);
  bool is_behind(const Seat& seat) const;
  GroupRules rules_of(const Group& group) const;
  std::shared_ptr<Seat> next_sleeper(Group& group);
  void end(Group& group, GroupState state);
  GroupStatus status_of(const Group& group) const;
  void watch_groups(Clock::time_point now, const std::vector<bool>& guilty,
                    std::optional<std::chrono::nanoseconds> evict_after, std::vector<ConsumerStatus>& evicted);

  const std::span<std::byte> pool_;
  ControlMemory& control_;

  mutable std::mutex mutex_;
  std::condition_variable lane_free_;  ///< a lane was published, for those who found all busy
  std::condition_variable room_;       ///< something came back, for those who found the pool full
  PoolAccounts accounts_;
  Grow grow_;                   ///< null: the pool is as large as it can be
  bool growing_ = false;        ///< somebody is in grow_, without the mutex
  std::string shortage_;
  std::vector<std::shared_ptr<Seat>> seats_;
  std::vector<std::shared_ptr<Group>> groups_;
  GroupRules group_rules_;
  std::chrono::nanoseconds group_linger_ = std::chrono::seconds(10);
  Clock::time_point next_group_look_{};
  std::uint64_t moves_ = 0;  ///< times something came back, was published or could be claimed
  std::optional<Clock::time_point> jammed_since_;  ///< and nothing has moved
  std::vector<GroupStatus> past_groups_;
  EndFigures totals_;
  std::uint64_t ever_attached_ = 0;
  std::uint32_t granted_blocks_ = 0, granted_late_ = 0;
  bool stopped_ = false, finished_ = false;

  unsigned waiting_for_lane_ = 0;
  unsigned starving_ = 0;  ///< publishers that wait for room
  bool looking_ = false;   ///< one of them looks again and again
  bool declared_starved_ = false;  ///< none does: consumers kick when they give something back
  Clock::time_point starved_since_{};
  std::chrono::nanoseconds backpressure_{0};       ///< of those who have found room
  std::chrono::nanoseconds waiting_since_sum_{0};  ///< start times of those who still wait
};

}  // namespace pwalk::ipc
