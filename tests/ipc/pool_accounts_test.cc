#include "pool_accounts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "ipc/scan_fixture.h"

namespace pwalk::ipc {
namespace {

using Placement = PoolAccounts::Placement;
using Refusal = PoolAccounts::Refusal;

/// The same rules in the plainest way: a list of batches, everything recomputed.
class NaivePool {
 public:
  struct Batch {
    Placement at;
    std::uint32_t units = 0, rows = 0;
    bool readable = false, freed = false;
    std::set<std::uint32_t> holders;
  };
  struct Reader {
    std::vector<std::uint64_t> cursor;
    bool attached = true;
  };

  explicit NaivePool(const PoolGeometry& geometry)
      : geometry_(geometry), open_(geometry.lanes), placed_(geometry.lanes), busy_(geometry.lanes) {}

  bool may_free() const { return attached() > 0 || reuse_; }
  unsigned attached() const {
    return unsigned(
        std::count_if(readers_.begin(), readers_.end(), [](const auto& r) { return r.second.attached; }));
  }

  /// What place() must answer.
  enum class Verdict : std::uint8_t { fits, lanes_busy, full };
  Verdict expect_place(std::uint32_t units) {
    if (std::all_of(busy_.begin(), busy_.end(), [](bool busy) { return busy; })) return Verdict::lanes_busy;
    if (fits_somewhere(units)) return Verdict::fits;
    if (may_free() && sweep() && fits_somewhere(units)) return Verdict::fits;
    if (units > geometry_.units_per_block) run_waits_ = true;
    return Verdict::full;
  }

  /// Enters what place() did; an error text if it may not do that.
  std::string enter(const Placement& at, std::uint32_t units, std::uint32_t rows) {
    if (busy_[at.lane]) return "the lane is busy";
    if (at.sequence != placed_[at.lane]) return "wrong sequence";
    if (at.unit + units > geometry_.units()) return "beyond the pool";
    const bool is_run = units > geometry_.units_per_block;
    if (is_run ? at.unit % geometry_.units_per_block != 0
               : block_of(at.unit) != block_of(at.unit + units - 1))
      return "crosses a block's border";
    for (const Batch& batch : batches_)
      if (!batch.freed && first_block(batch) <= block_of(at.unit + units - 1) &&
          block_of(at.unit) <= last_block(batch) && (is_run || overlaps(batch, at.unit, units)))
        return "lies over a batch that is still there";
    if (at.rows_before != rows_before(at.lane, at.sequence)) return "wrong rows_before";
    if (is_run) run_waits_ = false;
    // Whose open block this was, it had been emptied and given up.
    for (auto& open : open_)
      if (open && open->first >= block_of(at.unit) && open->first <= block_of(at.unit + units - 1))
        open.reset();
    if (!is_run)
      open_[at.lane] = {block_of(at.unit), at.unit + units - block_of(at.unit) * geometry_.units_per_block};
    ++placed_[at.lane];
    busy_[at.lane] = true;
    Batch batch{.at = at, .units = units, .rows = rows, .holders = {}};
    for (const auto& [id, reader] : readers_)
      if (reader.attached) batch.holders.insert(id);
    batches_.push_back(std::move(batch));
    return "";
  }

  void publish(std::uint32_t lane) {
    busy_[lane] = false;
    Batch& batch = *find(lane, placed_[lane] - 1);
    batch.readable = true;
    settle(batch);
  }

  std::optional<std::pair<std::vector<std::uint64_t>, std::uint64_t>> expect_attach(StartAt start) const {
    std::vector<std::uint64_t> from;
    std::uint64_t missed = 0;
    for (std::uint32_t lane = 0; lane < geometry_.lanes; ++lane) {
      if (start == StartAt::first && oldest(lane) > 0) return std::nullopt;
      from.push_back(start == StartAt::now ? published(lane) : oldest(lane));
      missed += rows_before(lane, from.back());
    }
    return std::pair(from, missed);
  }
  void attach(std::uint32_t id, const std::vector<std::uint64_t>& from) {
    readers_[id] = {from, true};
    for (Batch& batch : batches_)
      if (!batch.freed && batch.at.sequence >= from[batch.at.lane]) batch.holders.insert(id);
  }

  void detach(std::uint32_t id) {
    readers_[id].attached = false;
    for (Batch& batch : batches_)
      if (batch.at.sequence >= readers_[id].cursor[batch.at.lane]) drop(batch, id);
  }
  void forget(std::uint32_t id) {
    readers_[id].attached = false;
    for (Batch& batch : batches_) drop(batch, id);
    readers_.erase(id);
  }
  void drop(Batch& batch, std::uint32_t id) {
    if (batch.holders.erase(id) > 0) settle(batch);
  }

  Batch* find(std::uint32_t lane, std::uint64_t sequence) {
    for (Batch& batch : batches_)
      if (batch.at.lane == lane && batch.at.sequence == sequence) return &batch;
    return nullptr;
  }
  std::vector<Batch*> held_by(std::uint32_t id, bool taken) {
    std::vector<Batch*> held;
    for (Batch& batch : batches_)
      if (batch.holders.contains(id) && (batch.at.sequence < readers_[id].cursor[batch.at.lane]) == taken)
        held.push_back(&batch);
    return held;
  }
  std::uint64_t published(std::uint32_t lane) const { return placed_[lane] - (busy_[lane] ? 1 : 0); }
  std::uint64_t gone_rows() const {
    std::uint64_t rows = 0;
    for (std::uint32_t lane = 0; lane < geometry_.lanes; ++lane) rows += rows_before(lane, oldest(lane));
    return rows;
  }

  std::map<std::uint32_t, Reader> readers_;
  std::vector<Batch> batches_;
  bool reuse_ = false;
  bool history_kept_ = true;

 private:
  std::uint32_t block_of(std::uint32_t unit) const { return unit / geometry_.units_per_block; }
  std::uint32_t first_block(const Batch& batch) const { return block_of(batch.at.unit); }
  std::uint32_t last_block(const Batch& batch) const { return block_of(batch.at.unit + batch.units - 1); }
  bool overlaps(const Batch& batch, std::uint32_t unit, std::uint32_t units) const {
    // A run owns its last block to the end.
    const bool is_run = batch.units > geometry_.units_per_block;
    const std::uint32_t end =
        is_run ? (last_block(batch) + 1) * geometry_.units_per_block : batch.at.unit + batch.units;
    return unit < end && batch.at.unit < unit + units;
  }
  bool block_empty(std::uint32_t block) const {
    return std::none_of(batches_.begin(), batches_.end(), [&](const Batch& batch) {
      return !batch.freed && first_block(batch) <= block && block <= last_block(batch);
    });
  }
  std::uint64_t oldest(std::uint32_t lane) const {
    std::uint64_t after = 0;
    for (const Batch& batch : batches_)
      if (batch.at.lane == lane && batch.freed) after = std::max(after, batch.at.sequence + 1);
    return after;
  }
  std::uint64_t rows_before(std::uint32_t lane, std::uint64_t sequence) const {
    std::uint64_t rows = 0;
    for (const Batch& batch : batches_)
      if (batch.at.lane == lane && batch.at.sequence < sequence) rows += batch.rows;
    return rows;
  }
  std::uint32_t open_room(std::uint32_t lane) const {
    if (!open_[lane] || block_empty(open_[lane]->first)) return 0;
    return geometry_.units_per_block - open_[lane]->second;
  }
  bool window_open(std::uint32_t lane) const {
    std::uint64_t floor = oldest(lane);
    for (const auto& [id, reader] : readers_)
      if (reader.attached) floor = std::min(floor, reader.cursor[lane]);
    return placed_[lane] - floor < geometry_.slots;
  }
  bool fits_somewhere(std::uint32_t units) const {
    const bool is_run = units > geometry_.units_per_block;
    const std::uint32_t wanted = is_run ? (units - 1) / geometry_.units_per_block + 1 : 1;
    std::uint32_t longest = 0, length = 0;
    for (std::uint32_t block = 0; block < geometry_.blocks; ++block) {
      length = block_empty(block) ? length + 1 : 0;
      longest = std::max(longest, length);
    }
    const bool blocks = longest >= wanted && (is_run || !run_waits_);
    for (std::uint32_t lane = 0; lane < geometry_.lanes; ++lane)
      if (!busy_[lane] && window_open(lane) && (blocks || (!is_run && open_room(lane) >= units))) return true;
    return false;
  }
  bool sweep() {
    bool any = false;
    for (Batch& batch : batches_)
      if (batch.readable && !batch.freed && batch.holders.empty()) batch.freed = any = true;
    if (any) history_kept_ = false;
    return any;
  }
  void settle(Batch& batch) {
    if (batch.readable && batch.holders.empty() && !history_kept_ && may_free()) batch.freed = true;
  }

  PoolGeometry geometry_;
  std::vector<std::optional<std::pair<std::uint32_t, std::uint32_t>>> open_;  ///< per lane: block, units used
  std::vector<std::uint64_t> placed_;
  std::vector<bool> busy_;
  bool run_waits_ = false;
};

/// Plays one random life of a pool on both and compares after every step.
class Game {
 public:
  Game(std::uint64_t seed, const PoolGeometry& geometry)
      : random_(seed), geometry_(geometry), accounts_(geometry), model_(geometry) {}

  void play(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      step();
      compare();
    }
  }
  int refused() const { return refused_; }
  int runs() const { return runs_; }

 private:
  std::uint32_t below(std::uint32_t n) { return std::uint32_t(random_() % n); }

  void step() {
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return place();
      case 4:
      case 5:
        return publish();
      case 6:
        return below(3) ? take() : attach();
      case 7:
      case 8:
        return take();
      case 9:
        return give_back();
      case 10:
        return below(8) ? give_back() : leave();
      default:
        return below(20) ? lie() : toggle_reuse();
    }
  }

  void place() {
    const std::uint32_t most = std::max(1u, geometry_.units() / 4);
    const std::uint32_t units = 1 + below(below(4) ? std::min(most, geometry_.units_per_block) : most);
    const std::uint32_t rows = below(100);
    const auto verdict = model_.expect_place(units);
    const auto placement = accounts_.place(below(8), units, rows);
    ASSERT_EQ(bool(placement), verdict == NaivePool::Verdict::fits);
    if (!placement) {
      ++refused_;
      ASSERT_EQ(placement.error() == Refusal::lanes_busy, verdict == NaivePool::Verdict::lanes_busy);
      return;
    }
    runs_ += units > geometry_.units_per_block;
    ASSERT_EQ(model_.enter(*placement, units, rows), "");
    being_written_.push_back(placement->lane);
    if (below(2)) publish();
  }

  void publish() {
    if (being_written_.empty()) return;
    const std::size_t which = below(std::uint32_t(being_written_.size()));
    accounts_.published(being_written_[which]);
    model_.publish(being_written_[which]);
    being_written_.erase(being_written_.begin() + std::ptrdiff_t(which));
  }

  void attach() {
    if (model_.readers_.size() > 4) return;
    const auto start = StartAt(below(3));
    const auto expected = model_.expect_attach(start);
    const auto entrance = accounts_.attach(start);
    ASSERT_EQ(bool(entrance), bool(expected));
    if (!entrance) return;
    ASSERT_EQ(entrance->start, expected->first);
    ASSERT_EQ(entrance->missed_rows, expected->second);
    model_.attach(entrance->consumer, entrance->start);
  }

  std::optional<std::uint32_t> any_reader() {
    if (model_.readers_.empty()) return std::nullopt;
    return std::next(model_.readers_.begin(), below(std::uint32_t(model_.readers_.size())))->first;
  }

  /// A consumer takes what is next on a lane: it must still be there.
  void take() {
    const auto id = any_reader();
    if (!id || !model_.readers_[*id].attached) return;
    const std::uint32_t lane = below(geometry_.lanes);
    std::uint64_t& cursor = model_.readers_[*id].cursor[lane];
    if (cursor == model_.published(lane)) {
      EXPECT_FALSE(accounts_.observe_cursor(*id, lane, cursor + 1));
      return;
    }
    const NaivePool::Batch* batch = model_.find(lane, cursor);
    ASSERT_TRUE(batch && !batch->freed) << "a batch that was still to be read is gone";
    ++cursor;
    ASSERT_TRUE(accounts_.observe_cursor(*id, lane, cursor));
  }

  void give_back() {
    const auto id = any_reader();
    if (!id) return;
    const auto held = model_.held_by(*id, true);
    if (held.empty()) return;
    NaivePool::Batch& batch = *held[below(std::uint32_t(held.size()))];
    ASSERT_TRUE(accounts_.give_back(*id, batch.at.unit, std::uint32_t(batch.at.sequence)));
    model_.drop(batch, *id);
  }

  /// What no consumer could hold changes nothing.
  void lie() {
    const auto id = any_reader();
    if (!id) return;
    const std::uint32_t unit = below(geometry_.units() + 3);
    const std::uint32_t sequence = below(50);
    for (const NaivePool::Batch& batch : model_.batches_)
      if (batch.at.unit == unit && batch.at.sequence == sequence && batch.holders.contains(*id)) return;
    EXPECT_FALSE(accounts_.give_back(*id, unit, sequence));
    if (model_.readers_[*id].attached && model_.readers_[*id].cursor[0] > 0) {
      EXPECT_FALSE(accounts_.observe_cursor(*id, 0, model_.readers_[*id].cursor[0] - 1));
    }
  }

  void leave() {
    const auto id = any_reader();
    if (!id) return;
    if (model_.readers_[*id].attached && below(2)) {
      accounts_.detach(*id);
      model_.detach(*id);
    } else {
      accounts_.forget(*id);
      model_.forget(*id);
    }
  }

  void toggle_reuse() {
    model_.reuse_ = !model_.reuse_;
    accounts_.reuse_without_consumers(model_.reuse_);
  }

  void compare() {
    ASSERT_EQ(accounts_.attached(), model_.attached());
    ASSERT_EQ(accounts_.gone_rows(), model_.gone_rows());
    ASSERT_EQ(accounts_.history_kept(), model_.history_kept_);
    for (const auto& [id, reader] : model_.readers_) {
      const auto untaken = model_.held_by(id, false);
      ASSERT_EQ(accounts_.held_batches(id), untaken.size() + model_.held_by(id, true).size());
      std::uint64_t rows = 0;
      for (const auto* batch : untaken) rows += batch->readable ? batch->rows : 0;
      ASSERT_EQ(accounts_.untaken_rows(id), rows);
    }
  }

  std::mt19937_64 random_;
  PoolGeometry geometry_;
  PoolAccounts accounts_;
  NaivePool model_;
  std::vector<std::uint32_t> being_written_;
  int refused_ = 0, runs_ = 0;
};

TEST(PoolAccountsTest, AgreesWithANaiveModelOverRandomLives) {
  std::mt19937_64 seeds(testing::test_seed());
  int refused = 0, runs = 0;
  for (int life = 0; life < 150 && !HasFailure(); ++life) {
    const std::uint64_t seed = seeds();
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    PoolGeometry geometry{.blocks = 1 + std::uint32_t(random() % 12),
                          .units_per_block = 1 + std::uint32_t(random() % 8),
                          .lanes = 1 + std::uint32_t(random() % 4)};
    geometry.slots = std::bit_ceil((geometry.units() + geometry.lanes - 1) / geometry.lanes);
    Game game(seed, geometry);
    game.play(400);
    refused += game.refused();
    runs += game.runs();
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(runs, 50);
}

PoolGeometry small() {
  return {.blocks = 4, .units_per_block = 4, .lanes = 1, .slots = 16};
}

/// Places and publishes a batch of a whole block.
Placement fill_block(PoolAccounts& accounts, std::uint32_t rows = 10) {
  const auto placement = accounts.place(0, 4, rows);
  EXPECT_TRUE(placement);
  accounts.published(placement->lane);
  return *placement;
}

TEST(PoolAccountsTest, KeepsTheHistoryWhileItFits) {
  PoolAccounts accounts(small());
  for (int i = 0; i < 4; ++i) fill_block(accounts);
  const auto late = accounts.attach(StartAt::first);
  ASSERT_TRUE(late);
  EXPECT_EQ(late->missed_rows, 0u);
  EXPECT_EQ(accounts.untaken_rows(late->consumer), 40u);
}

TEST(PoolAccountsTest, NothingIsDroppedWhileNobodyIsThere) {
  PoolAccounts accounts(small());
  for (int i = 0; i < 4; ++i) fill_block(accounts);
  EXPECT_FALSE(accounts.place(0, 1, 1));
  EXPECT_TRUE(accounts.history_kept());
  accounts.reuse_without_consumers(true);
  EXPECT_TRUE(accounts.place(0, 1, 1));
  EXPECT_EQ(accounts.gone_rows(), 40u);
  EXPECT_FALSE(accounts.attach(StartAt::first));
}

TEST(PoolAccountsTest, OneThatLeavesEarlyLeavesTheRestForTheNext) {
  PoolAccounts accounts(small());
  const auto first = accounts.attach(StartAt::first);
  for (int i = 0; i < 4; ++i) fill_block(accounts);
  ASSERT_TRUE(accounts.observe_cursor(first->consumer, 0, 1));
  ASSERT_TRUE(accounts.give_back(first->consumer, 0, 0));
  fill_block(accounts);  // the history ends here
  accounts.forget(first->consumer);
  EXPECT_FALSE(accounts.place(0, 4, 10)) << "what nobody has read was dropped";
  const auto second = accounts.attach(StartAt::oldest);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->missed_rows, 10u);
  EXPECT_EQ(accounts.untaken_rows(second->consumer), 40u);
}

TEST(PoolAccountsTest, TheBlockFreedLastIsUsedFirst) {
  PoolAccounts accounts(small());
  const auto reader = accounts.attach(StartAt::first);
  for (int i = 0; i < 4; ++i) fill_block(accounts);
  ASSERT_TRUE(accounts.observe_cursor(reader->consumer, 0, 4));
  ASSERT_TRUE(accounts.give_back(reader->consumer, 12, 3));
  fill_block(accounts);
  ASSERT_TRUE(accounts.give_back(reader->consumer, 0, 0));
  ASSERT_TRUE(accounts.give_back(reader->consumer, 8, 2));
  EXPECT_EQ(fill_block(accounts).unit, 8u);
  EXPECT_EQ(fill_block(accounts).unit, 0u);
}

TEST(PoolAccountsTest, ALaneTakesBlocksOfItsHomeAsLongAsThereAreAny) {
  PoolAccounts accounts({.blocks = 6, .units_per_block = 4, .lanes = 2, .slots = 32}, {0, 1});
  accounts.add_blocks(2, 0);
  accounts.add_blocks(5, 1);
  accounts.add_blocks(6, 0);
  EXPECT_EQ(accounts.free_blocks(), 6u);
  const auto block_for = [&](unsigned worker) {
    const auto placement = accounts.place(worker, 4, 1);
    EXPECT_TRUE(placement);
    accounts.published(placement->lane);
    return placement->unit / 4;
  };
  for (const std::uint32_t expected : {2u, 3u}) {
    EXPECT_TRUE(accounts.has_spare(1, 4));
    EXPECT_EQ(block_for(1), expected);
  }
  EXPECT_FALSE(accounts.has_spare(1, 4)) << "what lies elsewhere is no reason not to make more here";
  EXPECT_EQ(block_for(1), 4u);
  EXPECT_EQ(block_for(1), 5u) << "of the other home rather than none";
  EXPECT_EQ(block_for(0), 0u);
  const auto run = accounts.place(0, 4, 1);
  ASSERT_TRUE(run);
  EXPECT_EQ(accounts.free_blocks(), 0u);
}

TEST(PoolAccountsTest, SmallBatchesMakeWayForARunThatWaits) {
  PoolAccounts accounts({.blocks = 4, .units_per_block = 4, .lanes = 1, .slots = 16});
  const auto reader = accounts.attach(StartAt::first);
  for (int i = 0; i < 4; ++i) fill_block(accounts);
  ASSERT_TRUE(accounts.observe_cursor(reader->consumer, 0, 4));
  ASSERT_TRUE(accounts.give_back(reader->consumer, 0, 0));
  EXPECT_FALSE(accounts.place(0, 8, 1)) << "two adjacent blocks are not free";
  EXPECT_TRUE(accounts.run_waits());
  EXPECT_FALSE(accounts.place(0, 4, 1)) << "the block would be needed for the run";
  ASSERT_TRUE(accounts.give_back(reader->consumer, 4, 1));
  const auto run = accounts.place(0, 8, 1);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->unit, 0u);
  EXPECT_FALSE(accounts.run_waits());
}

TEST(PoolAccountsTest, TellsWhoHoldsThePoolBack) {
  PoolAccounts accounts(small());
  const auto fast = accounts.attach(StartAt::first), slow = accounts.attach(StartAt::first);
  for (int i = 0; i < 4; ++i) fill_block(accounts);
  EXPECT_EQ(accounts.holding_back(), (std::vector<bool>{true, true}));
  ASSERT_TRUE(accounts.observe_cursor(fast->consumer, 0, 4));
  for (std::uint32_t i = 0; i < 3; ++i) ASSERT_TRUE(accounts.give_back(fast->consumer, i * 4, i));
  EXPECT_EQ(accounts.holding_back(), (std::vector<bool>{false, true}));
  EXPECT_TRUE(accounts.caught_up(fast->consumer));
  EXPECT_FALSE(accounts.caught_up(slow->consumer));
}

}  // namespace
}  // namespace pwalk::ipc
