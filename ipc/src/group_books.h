#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "group_memory.h"

namespace pwalk::ipc {

/// How long a member may keep a batch, and how often one is given out again.
struct GroupRules {
  std::chrono::nanoseconds lease = std::chrono::seconds(60);
  std::uint32_t attempts = 5;
  bool closed = false;  ///< nothing is offered again: what is taken back is given up
};

/// What became of a group's batches.
struct GroupFigures {
  std::uint64_t concluded = 0;    ///< batches that a member was done with
  std::uint64_t redelivered = 0;  ///< times one was offered again
  std::uint64_t poisoned = 0, poisoned_rows = 0;  ///< given up after too many attempts
};

/// The scanner's private books over one group's ledger: which batches are still
/// open, who of its members has them and since when. Takes batches from members that
/// died or kept them too long, and says when none of the group reads a batch any
/// more. No system calls; the Distributor's mutex guards it.
///
/// The ledger's words can be scribbled on by any member. What is found there is
/// compared with the books, and can at worst conclude or poison this group's
/// batches: a batch stays in the pool until everybody from whom it was taken has
/// returned it or is dead.
class GroupBooks {
 public:
  using Clock = std::chrono::steady_clock;
  /// Nobody of the group reads the batch at `unit` any more.
  using Release = std::function<void(std::uint32_t unit, std::uint64_t sequence)>;
  /// What the distributor knows of a member. Unknown numbers are nobody's.
  struct Members {
    std::function<bool(std::uint32_t member)> known;
    /// It sleeps, waiting for a batch: it has come back for more.
    std::function<bool(std::uint32_t member)> asking;
  };

  /// `memory` must outlive it. `start`: per lane, the group's first sequence.
  GroupBooks(const GroupMemory& memory, std::vector<std::uint64_t> start, Release release);

  /// The batch is about to be published (or was, before the group was made).
  void open(std::uint32_t lane, std::uint64_t sequence, std::uint32_t unit, std::uint32_t rows);

  /// A member pushed the batch to its return ring.
  void returned(std::uint32_t member, std::uint32_t lane, std::uint64_t sequence);
  /// Its process is gone. True: others have something to claim now.
  bool member_gone(std::uint32_t member, const GroupRules& rules);

  struct Sweep {
    bool offered = false;     ///< there is something to claim again
    bool unclaimed = false;   ///< there is something nobody has
    std::vector<std::uint32_t> owners;  ///< members that have something, ascending
  };
  /// Finds leases that expired, and whatever was concluded without being returned.
  Sweep sweep(Clock::time_point now, const GroupRules& rules, const Members& members);

  /// Nobody gets what nobody has: the end of an evicted or dissolved group.
  void withhold();

  /// Everything opened is settled.
  bool settled() const;
  /// And nobody from whom a batch was taken may still read it.
  bool released() const { return settled() && kept_.empty(); }
  /// Per lane, everything below is settled.
  const std::vector<std::uint64_t>& floors() const { return floors_; }
  /// Per lane, everything below was claimed or settled.
  std::vector<std::uint64_t> claimed() const;
  /// Batches that the member has.
  std::uint64_t owned_by(std::uint32_t member) const;
  /// And those that were taken from it while it reads them.
  std::uint64_t held_by(std::uint32_t member) const;
  const GroupFigures& figures() const { return figures_; }

 private:
  struct Place {
    std::uint32_t unit = 0, rows = 0;
    bool settled = false;
    LedgerEntry seen;  ///< owner as of the last sweeps
    Clock::time_point since{};
  };
  /// Members from whom a batch was taken while they may be reading it, once for each return that is still to come.
  struct Kept {
    std::uint32_t unit = 0;
    std::vector<std::uint32_t> readers;
  };
  using Key = std::pair<std::uint32_t, std::uint64_t>;  ///< lane, sequence

  Place* find(std::uint32_t lane, std::uint64_t sequence);
  template <class Each>
  void each_unsettled(Each&& each);
  template <class Each>
  void each_unsettled(Each&& each) const;
  bool take_back(std::uint32_t lane, std::uint64_t sequence, const LedgerEntry& seen, const GroupRules& rules);
  void settle(std::uint32_t lane, std::uint64_t sequence);
  void move_floors();
  void keep(const Key& key, std::uint32_t unit, std::uint32_t member);
  void drop_reader(const Key& key, std::uint32_t member);

  const GroupMemory& memory_;
  Release release_;
  std::vector<std::uint64_t> floors_;
  std::vector<std::deque<Place>> places_;  ///< per lane, from its floor on
  std::map<Key, Kept> kept_;
  GroupFigures figures_;
};

}  // namespace pwalk::ipc
