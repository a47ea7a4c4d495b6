#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "pwalk/base/result.h"
#include "pwalk/ipc/consumer.h"

/// Who holds what: the scanner's private books over the pool. Pure bookkeeping
/// on ordinary memory; no atomics, no system calls, no clock. Not thread-safe:
/// the Distributor's mutex guards it.
///
/// The pool is blocks of units. A batch occupies whole units inside one block,
/// or a run of adjacent blocks if it is larger than one, and is known by its
/// first unit. It is held by each consumer that was attached when it was placed
/// (or came later and starts before it) until that consumer gives it back.
///
/// Retention: nothing is reused while everything fits. The first time that room
/// must be made the history is gone: from then on a batch is freed once nobody
/// holds it. While nobody is attached nothing is freed at all, unless reuse
/// without consumers is allowed, so that nothing is dropped unseen.
namespace pwalk::ipc {

struct PoolGeometry {
  std::uint32_t blocks = 0;
  std::uint32_t units_per_block = 64;  ///< at most 64
  std::uint32_t lanes = 1;
  std::uint32_t slots = 64;  ///< descriptors per lane
  std::uint32_t units() const { return blocks * units_per_block; }
};

class PoolAccounts {
 public:
  explicit PoolAccounts(const PoolGeometry& geometry) : PoolAccounts(geometry, std::vector<std::uint16_t>{}) {
    add_blocks(geometry.blocks);
  }
  /// No block is there yet. `homes`: per lane, which node its writers run on, numbered from 0 without gaps; empty:
  /// there is only one. A lane takes blocks of its home as long as there are any.
  PoolAccounts(const PoolGeometry& geometry, std::vector<std::uint16_t> homes);
  /// Those from the last one that is there up to `ready` are there now, on the node `home`.
  void add_blocks(std::uint32_t ready, std::uint16_t home = 0);
  /// Whether a batch of `units` would find a place among the blocks of `worker`'s home, and its lanes some more,
  /// without anything being freed.
  bool has_spare(unsigned worker, std::uint32_t units) const;
  /// Where the lane lies that `worker` publishes on when it can.
  std::uint16_t home_of(unsigned worker) const { return homes_.empty() ? 0 : homes_[worker % geometry_.lanes]; }

  /// Where a batch goes. The lane is taken until published() is called for it.
  struct Placement {
    std::uint32_t lane = 0;
    std::uint32_t unit = 0;
    std::uint64_t sequence = 0;
    std::uint64_t rows_before = 0;  ///< in this lane
  };
  enum class Refusal : std::uint8_t {
    lanes_busy,  ///< every lane is being written to: a matter of microseconds
    full,        ///< no room until somebody gives something back
  };

  /// Takes room for a batch of `units` on a free lane, `worker`'s own if possible.
  /// Ends the history if room can be made that way. Requires 1 <= units <= all.
  tl::expected<Placement, Refusal> place(unsigned worker, std::uint32_t units, std::uint32_t rows);

  /// The batch placed on `lane` can be read now; the lane is free again.
  void published(std::uint32_t lane);

  using ConsumerId = std::uint32_t;  ///< reused after a consumer is forgotten

  struct Entrance {
    ConsumerId consumer = 0;
    std::vector<std::uint64_t> start;  ///< per lane, the first sequence it gets
    std::uint64_t missed_rows = 0;     ///< before the start
  };
  /// Registers a newcomer, which from here on holds everything it has still to
  /// read. nullopt: something is gone and StartAt::first was asked; see gone_rows().
  std::optional<Entrance> attach(StartAt start) { return attach(start, Order::taken); }

  /// How a consumer gets along its lanes. A group's batches are settled in any order:
  /// its cursor is what observe_cursor() says, whatever it gives back above it.
  enum class Order : std::uint8_t { taken, any };
  std::optional<Entrance> attach(StartAt start, Order order);

  struct LiveBatch {
    std::uint32_t lane = 0, unit = 0, rows = 0;
    std::uint64_t sequence = 0;
  };
  /// What `consumer` holds and can be read now, in order of (lane, sequence).
  std::vector<LiveBatch> readable(ConsumerId consumer) const;
  /// The batch that `consumer` holds at `unit`, if it does and it can be read.
  std::optional<LiveBatch> held_at(ConsumerId consumer, std::uint32_t unit) const;
  std::uint64_t gone_rows() const;

  /// `consumer` is done with the batch at `unit`. False: it does not hold such a
  /// batch, which no honest consumer says; nothing is changed.
  bool give_back(ConsumerId consumer, std::uint32_t unit, std::uint32_t sequence_low);

  /// `consumer` says it has taken everything below `cursor` on `lane`. False: the
  /// cursor went back or beyond what was published; nothing is changed.
  bool observe_cursor(ConsumerId consumer, std::uint32_t lane, std::uint64_t cursor);

  /// Ends a subscription whose final cursors were observed before: what it had not
  /// taken is dropped, what it had taken stays held until given back. Idempotent.
  /// With Order::any everything readable stays.
  void detach(ConsumerId consumer);
  /// Takes everything from a consumer that was detached, for claiming more than can be.
  void dispossess(ConsumerId consumer);
  /// The process is gone: whatever it holds is dropped, and its id is free again.
  void forget(ConsumerId consumer);

  void reuse_without_consumers(bool allowed) { reuse_without_consumers_ = allowed; }

  // What is shown to people, or decided upon.
  unsigned attached() const { return attached_; }
  std::uint32_t held_batches(ConsumerId consumer) const { return consumers_[consumer]->held; }
  /// Blocks that its batches lie in, less those of the largest one.
  std::uint32_t blocks_held_beside_one_batch(ConsumerId consumer) const;
  std::uint64_t untaken_rows(ConsumerId consumer) const;
  bool caught_up(ConsumerId consumer) const;
  std::uint64_t head(std::uint32_t lane) const { return lanes_[lane].published; }
  std::uint64_t cursor(ConsumerId consumer, std::uint32_t lane) const {
    return consumers_[consumer]->cursor[lane];
  }
  const std::vector<std::uint64_t>& cursors(ConsumerId consumer) const { return consumers_[consumer]->cursor; }
  bool any_lane_busy() const;
  bool holds_any(ConsumerId consumer) const { return consumers_[consumer]->held > 0; }
  /// Whether anything was given back of which place() could make use.
  bool may_have_room() const { return free_blocks() != 0 || (unheld_ > 0 && may_free()); }
  bool run_waits() const { return waiting_run_ != 0; }
  bool history_kept() const { return history_kept_; }
  std::uint32_t free_blocks() const;
  /// The consumers without whom a block would be free: those who alone hold one,
  /// else those who hold most. By id.
  std::vector<bool> holding_back() const;

 private:
  enum class UnitState : std::uint8_t { none, placed, readable };
  /// A batch, at its first unit.
  struct Batch {
    std::uint64_t sequence = 0, rows_before = 0;
    std::uint32_t rows = 0, units = 0, holders = 0;
    std::uint16_t lane = 0;
    UnitState state = UnitState::none;
  };
  enum class BlockState : std::uint8_t { absent, free, open, closed };
  struct Block {
    std::uint32_t batches = 0;  ///< live ones that lie in it
    BlockState state = BlockState::absent;
    std::uint16_t lane = 0;  ///< whose open block it is
    std::uint16_t home = 0;  ///< where it lies
  };
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Lane {
    std::uint32_t open = kNone;         ///< its open block
    std::uint32_t used = 0;             ///< units of it
    std::uint32_t placed_unit = kNone;  ///< the batch being written; the lane is busy
    std::uint64_t placed = 0;           ///< next sequence
    std::uint64_t published = 0;
    std::uint64_t rows = 0;       ///< of all placed batches
    std::uint64_t oldest = 0;     ///< nothing from here on was freed
    std::uint64_t gone_rows = 0;  ///< before `oldest`
    bool busy() const { return placed_unit != kNone; }
  };
  struct Consumer {
    std::vector<std::uint64_t> holds;   ///< a word per block, a bit per unit
    std::vector<std::uint64_t> cursor;  ///< per lane, as observed
    std::uint32_t held = 0;
    bool attached = true;
    Order order = Order::taken;
  };

  bool may_free() const { return attached_ > 0 || reuse_without_consumers_; }
  std::optional<std::uint32_t> lane_with_room(unsigned worker, std::uint32_t units);
  std::uint32_t open_room(const Lane& lane) const;
  bool window_open(std::uint32_t lane) const;
  std::optional<std::uint32_t> room_on(std::uint32_t lane, std::uint32_t units);
  std::optional<std::uint32_t> take_block(std::uint16_t home);
  std::optional<std::uint32_t> find_run(std::uint32_t blocks) const;
  std::optional<std::uint32_t> take_run(std::uint32_t blocks);
  void close_open_block(Lane& lane);
  Placement enter(std::uint32_t lane, std::uint32_t unit, std::uint32_t units, std::uint32_t rows);
  bool make_room();

  std::pair<std::uint32_t, std::uint32_t> blocks_of(std::uint32_t unit) const;
  void settle_unheld(std::uint32_t unit);
  void free_batch(std::uint32_t unit);
  void free_block(std::uint32_t block);
  bool holds(const Consumer& consumer, std::uint32_t unit) const;
  void hold(Consumer& consumer, std::uint32_t unit);
  void drop(Consumer& consumer, std::uint32_t unit);
  ConsumerId seat(std::unique_ptr<Consumer> consumer);
  std::optional<ConsumerId> sole_holder(std::uint32_t block) const;
  template <class Each>
  void each_held(const Consumer& consumer, Each&& each) const;

  PoolGeometry geometry_;
  std::vector<Batch> batches_;  ///< by first unit, of the blocks that are there: pages are touched as the pool grows
  std::vector<Block> blocks_;
  std::uint32_t ready_ = 0;     ///< blocks that are there
  std::vector<std::uint16_t> homes_;  ///< per lane, or empty
  std::vector<std::vector<std::uint32_t>> free_;  ///< per home; last freed, first used
  std::vector<Lane> lanes_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  unsigned attached_ = 0;
  std::uint32_t unheld_ = 0;  ///< readable batches that nobody holds
  unsigned waiting_run_ = 0;  ///< units that a refused run asked for; small batches make way for it
  bool history_kept_ = true;
  bool reuse_without_consumers_ = false;
};

}  // namespace pwalk::ipc
