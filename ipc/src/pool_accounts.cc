#include "pool_accounts.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace pwalk::ipc {

PoolAccounts::PoolAccounts(const PoolGeometry& geometry, std::vector<std::uint16_t> homes)
    : geometry_(geometry),
      blocks_(geometry.blocks),
      homes_(std::move(homes)),
      free_(homes_.empty() ? 1 : 1u + *std::max_element(homes_.begin(), homes_.end())),
      lanes_(geometry.lanes) {
  assert(homes_.empty() || homes_.size() == geometry.lanes);
  assert(geometry.units_per_block >= 1 && geometry.units_per_block <= 64 && geometry.lanes >= 1);
  batches_.reserve(geometry.units());
  for (auto& free : free_) free.reserve(geometry.blocks);
}

/// The lowest is the first to be used.
void PoolAccounts::add_blocks(std::uint32_t ready, std::uint16_t home) {
  batches_.resize(std::size_t{ready} * geometry_.units_per_block);
  for (std::uint32_t block = ready; block-- > ready_;) {
    blocks_[block].home = home;
    free_block(block);
  }
  ready_ = ready;
}

bool PoolAccounts::has_spare(unsigned worker, std::uint32_t units) const {
  if (free_[home_of(worker)].size() <= geometry_.lanes / free_.size()) return false;
  return units <= geometry_.units_per_block ||
         find_run((units + geometry_.units_per_block - 1) / geometry_.units_per_block).has_value();
}

// ---- placing ----------------------------------------------------------------

tl::expected<PoolAccounts::Placement, PoolAccounts::Refusal> PoolAccounts::place(unsigned worker,
                                                                                 std::uint32_t units,
                                                                                 std::uint32_t rows) {
  if (std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.busy(); }))
    return tl::unexpected(Refusal::lanes_busy);
  do {
    if (const auto lane = lane_with_room(worker, units))
      if (const auto unit = room_on(*lane, units)) return enter(*lane, *unit, units, rows);
  } while (make_room());
  if (units > geometry_.units_per_block) waiting_run_ = units;
  return tl::unexpected(Refusal::full);
}

/// The worker's own lane if it will do, else the next idle one that does.
std::optional<std::uint32_t> PoolAccounts::lane_with_room(unsigned worker, std::uint32_t units) {
  const bool is_run = units > geometry_.units_per_block;
  const bool blocks_to_take = is_run || (free_blocks() != 0 && waiting_run_ == 0);
  for (std::uint32_t i = 0; i < geometry_.lanes; ++i) {
    const std::uint32_t lane = (worker + i) % geometry_.lanes;
    if (lanes_[lane].busy() || !window_open(lane)) continue;
    if (blocks_to_take || open_room(lanes_[lane]) >= units) return lane;
  }
  return std::nullopt;
}

std::uint32_t PoolAccounts::open_room(const Lane& lane) const {
  return lane.open == kNone ? 0 : geometry_.units_per_block - lane.used;
}

/// May the lane's next descriptor be written over the one `slots` before it? Yes
/// once no attached consumer has still to take that, and no newcomer could ask for
/// it. There are at least as many slots in all lanes as units, and whatever a
/// window spans is live, so a closed window never means that the pool has room.
bool PoolAccounts::window_open(std::uint32_t lane) const {
  const Lane& ring = lanes_[lane];
  std::uint64_t floor = ring.oldest;
  for (const auto& consumer : consumers_)
    if (consumer && consumer->attached) floor = std::min(floor, consumer->cursor[lane]);
  return ring.placed - floor < geometry_.slots;
}

std::optional<std::uint32_t> PoolAccounts::room_on(std::uint32_t number, std::uint32_t units) {
  Lane& lane = lanes_[number];
  if (units > geometry_.units_per_block) {
    const auto block = take_run((units + geometry_.units_per_block - 1) / geometry_.units_per_block);
    if (!block) return std::nullopt;
    waiting_run_ = 0;
    return *block * geometry_.units_per_block;
  }
  if (open_room(lane) < units) {
    close_open_block(lane);
    const auto block = take_block(home_of(number));
    if (!block) return std::nullopt;
    blocks_[*block].state = BlockState::open;
    blocks_[*block].lane = std::uint16_t(number);
    lane.open = *block;
    lane.used = 0;
  }
  const std::uint32_t unit = lane.open * geometry_.units_per_block + lane.used;
  lane.used += units;
  return unit;
}

/// Of another home rather than none.
std::optional<std::uint32_t> PoolAccounts::take_block(std::uint16_t home) {
  auto* from = &free_[home];
  if (from->empty())
    from = &*std::max_element(free_.begin(), free_.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
  if (from->empty()) return std::nullopt;
  const std::uint32_t block = from->back();
  from->pop_back();
  return block;
}

/// First fit over adjacent free blocks.
std::optional<std::uint32_t> PoolAccounts::find_run(std::uint32_t wanted) const {
  std::uint32_t length = 0;
  for (std::uint32_t block = 0; block < geometry_.blocks; ++block) {
    length = blocks_[block].state == BlockState::free ? length + 1 : 0;
    if (length == wanted) return block + 1 - wanted;
  }
  return std::nullopt;
}

/// They are closed from the start: nothing else goes into the last one's remainder.
std::optional<std::uint32_t> PoolAccounts::take_run(std::uint32_t wanted) {
  const auto first = find_run(wanted);
  if (!first) return std::nullopt;
  for (std::uint32_t block = *first; block < *first + wanted; ++block) blocks_[block].state = BlockState::closed;
  for (auto& free : free_)
    std::erase_if(free, [&](std::uint32_t block) { return block >= *first && block < *first + wanted; });
  return first;
}

void PoolAccounts::close_open_block(Lane& lane) {
  if (lane.open == kNone) return;
  const std::uint32_t block = lane.open;
  lane.open = kNone;
  blocks_[block].state = BlockState::closed;
  if (blocks_[block].batches == 0) free_block(block);
}

PoolAccounts::Placement PoolAccounts::enter(std::uint32_t number, std::uint32_t unit, std::uint32_t units,
                                            std::uint32_t rows) {
  Lane& lane = lanes_[number];
  Batch& batch = batches_[unit];
  batch = {.sequence = lane.placed++,
           .rows_before = lane.rows,
           .rows = rows,
           .units = units,
           .holders = 0,
           .lane = std::uint16_t(number),
           .state = UnitState::placed};
  lane.rows += rows;
  lane.placed_unit = unit;
  const auto [first, last] = blocks_of(unit);
  for (std::uint32_t block = first; block <= last; ++block) ++blocks_[block].batches;
  for (const auto& consumer : consumers_)
    if (consumer && consumer->attached) hold(*consumer, unit);
  return {.lane = number, .unit = unit, .sequence = batch.sequence, .rows_before = batch.rows_before};
}

void PoolAccounts::published(std::uint32_t number) {
  Lane& lane = lanes_[number];
  const std::uint32_t unit = lane.placed_unit;
  lane.placed_unit = kNone;
  lane.published = lane.placed;
  batches_[unit].state = UnitState::readable;
  if (batches_[unit].holders == 0) settle_unheld(unit);
}

// ---- freeing ----------------------------------------------------------------

/// Frees what nobody holds. This is where the history ends. False: there was nothing.
bool PoolAccounts::make_room() {
  if (unheld_ == 0 || !may_free()) return false;
  history_kept_ = false;
  unheld_ = 0;
  for (std::uint32_t unit = 0; unit < batches_.size(); ++unit)
    if (batches_[unit].state == UnitState::readable && batches_[unit].holders == 0) free_batch(unit);
  return true;
}

void PoolAccounts::settle_unheld(std::uint32_t unit) {
  if (!history_kept_ && may_free())
    free_batch(unit);
  else
    ++unheld_;
}

void PoolAccounts::free_batch(std::uint32_t unit) {
  Batch& batch = batches_[unit];
  Lane& lane = lanes_[batch.lane];
  if (batch.sequence + 1 > lane.oldest) {
    lane.oldest = batch.sequence + 1;
    lane.gone_rows = batch.rows_before + batch.rows;
  }
  batch.state = UnitState::none;
  const auto [first, last] = blocks_of(unit);
  for (std::uint32_t block = first; block <= last; ++block)
    if (--blocks_[block].batches == 0) {
      if (blocks_[block].state == BlockState::open) lanes_[blocks_[block].lane].open = kNone;
      free_block(block);
    }
}

void PoolAccounts::free_block(std::uint32_t block) {
  blocks_[block].state = BlockState::free;
  free_[blocks_[block].home].push_back(block);
}

std::pair<std::uint32_t, std::uint32_t> PoolAccounts::blocks_of(std::uint32_t unit) const {
  return {unit / geometry_.units_per_block, (unit + batches_[unit].units - 1) / geometry_.units_per_block};
}

// ---- consumers --------------------------------------------------------------

bool PoolAccounts::holds(const Consumer& consumer, std::uint32_t unit) const {
  return consumer.holds[unit / geometry_.units_per_block] >> (unit % geometry_.units_per_block) & 1;
}

void PoolAccounts::hold(Consumer& consumer, std::uint32_t unit) {
  consumer.holds[unit / geometry_.units_per_block] |= std::uint64_t{1} << (unit % geometry_.units_per_block);
  ++consumer.held;
  ++batches_[unit].holders;
}

void PoolAccounts::drop(Consumer& consumer, std::uint32_t unit) {
  consumer.holds[unit / geometry_.units_per_block] &=
      ~(std::uint64_t{1} << (unit % geometry_.units_per_block));
  --consumer.held;
  // One that is still being written is settled when it is published.
  if (--batches_[unit].holders == 0 && batches_[unit].state == UnitState::readable) settle_unheld(unit);
}

template <class Each>
void PoolAccounts::each_held(const Consumer& consumer, Each&& each) const {
  for (std::uint32_t block = 0; block < geometry_.blocks; ++block)
    for (std::uint64_t bits = consumer.holds[block]; bits != 0; bits &= bits - 1)
      each(block * geometry_.units_per_block + std::uint32_t(std::countr_zero(bits)));
}

std::optional<PoolAccounts::Entrance> PoolAccounts::attach(StartAt start, Order order) {
  if (start == StartAt::first &&
      std::any_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.oldest > 0; }))
    return std::nullopt;
  auto consumer = std::make_unique<Consumer>();
  consumer->order = order;
  consumer->holds.resize(geometry_.blocks);
  Entrance entrance;
  for (const Lane& lane : lanes_) {
    consumer->cursor.push_back(start == StartAt::now ? lane.published : lane.oldest);
    const std::uint64_t being_written = lane.busy() ? batches_[lane.placed_unit].rows : 0;
    entrance.missed_rows += start == StartAt::now ? lane.rows - being_written : lane.gone_rows;
  }
  entrance.start = consumer->cursor;
  for (std::uint32_t unit = 0; unit < batches_.size(); ++unit) {
    const Batch& batch = batches_[unit];
    if (batch.state == UnitState::none || batch.sequence < consumer->cursor[batch.lane]) continue;
    if (batch.state == UnitState::readable && batch.holders == 0) --unheld_;
    hold(*consumer, unit);
  }
  ++attached_;
  entrance.consumer = seat(std::move(consumer));
  return entrance;
}

PoolAccounts::ConsumerId PoolAccounts::seat(std::unique_ptr<Consumer> consumer) {
  const auto free = std::find(consumers_.begin(), consumers_.end(), nullptr);
  const auto id = ConsumerId(free - consumers_.begin());
  if (free == consumers_.end())
    consumers_.push_back(std::move(consumer));
  else
    *free = std::move(consumer);
  return id;
}

std::uint64_t PoolAccounts::gone_rows() const {
  std::uint64_t rows = 0;
  for (const Lane& lane : lanes_) rows += lane.gone_rows;
  return rows;
}

bool PoolAccounts::give_back(ConsumerId id, std::uint32_t unit, std::uint32_t sequence_low) {
  Consumer& consumer = *consumers_[id];
  if (unit >= batches_.size() || !holds(consumer, unit)) return false;
  const Batch& batch = batches_[unit];
  if (batch.state != UnitState::readable || std::uint32_t(batch.sequence) != sequence_low) return false;
  // Whoever gives a batch back has taken it, whatever its cursor says.
  std::uint64_t& cursor = consumer.cursor[batch.lane];
  if (consumer.order == Order::taken) cursor = std::max(cursor, batch.sequence + 1);
  drop(consumer, unit);
  return true;
}

bool PoolAccounts::observe_cursor(ConsumerId id, std::uint32_t lane, std::uint64_t cursor) {
  std::uint64_t& known = consumers_[id]->cursor[lane];
  if (cursor < known || cursor > lanes_[lane].published) return false;
  known = cursor;
  return true;
}

void PoolAccounts::detach(ConsumerId id) {
  Consumer& consumer = *consumers_[id];
  if (!consumer.attached) return;
  consumer.attached = false;
  --attached_;
  each_held(consumer, [&](std::uint32_t unit) {
    const Batch& batch = batches_[unit];
    const bool kept = consumer.order == Order::any ? batch.state == UnitState::readable
                                                   : batch.sequence < consumer.cursor[batch.lane];
    if (!kept) drop(consumer, unit);
  });
}

void PoolAccounts::dispossess(ConsumerId id) {
  Consumer& consumer = *consumers_[id];
  each_held(consumer, [&](std::uint32_t unit) { drop(consumer, unit); });
}

void PoolAccounts::forget(ConsumerId id) {
  Consumer& consumer = *consumers_[id];
  if (consumer.attached) --attached_;
  consumer.attached = false;
  dispossess(id);
  consumers_[id].reset();
}

std::vector<PoolAccounts::LiveBatch> PoolAccounts::readable(ConsumerId id) const {
  std::vector<LiveBatch> live;
  each_held(*consumers_[id], [&](std::uint32_t unit) {
    if (const auto batch = held_at(id, unit)) live.push_back(*batch);
  });
  std::sort(live.begin(), live.end(), [](const LiveBatch& a, const LiveBatch& b) {
    return a.lane != b.lane ? a.lane < b.lane : a.sequence < b.sequence;
  });
  return live;
}

std::optional<PoolAccounts::LiveBatch> PoolAccounts::held_at(ConsumerId id, std::uint32_t unit) const {
  if (unit >= batches_.size() || !holds(*consumers_[id], unit)) return std::nullopt;
  const Batch& batch = batches_[unit];
  if (batch.state != UnitState::readable) return std::nullopt;
  return LiveBatch{.lane = batch.lane, .unit = unit, .rows = batch.rows, .sequence = batch.sequence};
}

// ---- what is shown ----------------------------------------------------------

std::uint32_t PoolAccounts::free_blocks() const {
  std::size_t blocks = 0;
  for (const auto& free : free_) blocks += free.size();
  return std::uint32_t(blocks);
}

std::uint32_t PoolAccounts::blocks_held_beside_one_batch(ConsumerId id) const {
  std::vector<bool> held(geometry_.blocks);
  std::uint32_t largest = 0;
  each_held(*consumers_[id], [&](std::uint32_t unit) {
    const auto [first, last] = blocks_of(unit);
    for (std::uint32_t block = first; block <= last; ++block) held[block] = true;
    largest = std::max(largest, last - first + 1);
  });
  return std::uint32_t(std::count(held.begin(), held.end(), true)) - largest;
}

std::uint64_t PoolAccounts::untaken_rows(ConsumerId id) const {
  const Consumer& consumer = *consumers_[id];
  std::uint64_t rows = 0;
  each_held(consumer, [&](std::uint32_t unit) {
    const Batch& batch = batches_[unit];
    if (batch.state == UnitState::readable && batch.sequence >= consumer.cursor[batch.lane])
      rows += batch.rows;
  });
  return rows;
}

bool PoolAccounts::caught_up(ConsumerId id) const {
  for (std::uint32_t lane = 0; lane < geometry_.lanes; ++lane)
    if (consumers_[id]->cursor[lane] != lanes_[lane].published) return false;
  return true;
}

bool PoolAccounts::any_lane_busy() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.busy(); });
}

/// The only consumer with a batch in `block`; none or several: nullopt.
std::optional<PoolAccounts::ConsumerId> PoolAccounts::sole_holder(std::uint32_t block) const {
  std::optional<ConsumerId> sole;
  for (ConsumerId id = 0; id < consumers_.size(); ++id) {
    if (!consumers_[id] || consumers_[id]->holds[block] == 0) continue;
    if (sole) return std::nullopt;
    sole = id;
  }
  return sole;
}

std::vector<bool> PoolAccounts::holding_back() const {
  std::vector<bool> guilty(consumers_.size());
  bool anybody = false;
  for (std::uint32_t block = 0; block < geometry_.blocks; ++block)
    if (const auto sole = sole_holder(block)) guilty[*sole] = anybody = true;
  if (anybody) return guilty;
  std::uint32_t most = 1;
  for (const auto& consumer : consumers_) most = std::max(most, consumer ? consumer->held : 0);
  for (ConsumerId id = 0; id < consumers_.size(); ++id)
    guilty[id] = consumers_[id] && consumers_[id]->held == most;
  return guilty;
}

}  // namespace pwalk::ipc
