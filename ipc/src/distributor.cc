#include "distributor.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

#include "block_pool.h"
#include "futex.h"

namespace pwalk::ipc {
namespace {

/// Between two looks at what groups need besides events.
constexpr std::chrono::milliseconds kGroupPace{20};
/// Longest sleep of a publisher without looking again, whatever wakes were lost.
constexpr std::chrono::milliseconds kWaitSlice{50};
/// Longest look for room before saying so and sleeping: some turns of consumers that share a CPU.
constexpr std::chrono::milliseconds kLook{2};
/// Its first part, without sleeping; about what being woken costs.
constexpr std::chrono::microseconds kSpin{50};
/// Between two looks after that.
constexpr std::chrono::microseconds kDoze{50};
/// A member that is as long in one and the same sleep is not merely late: it wakes up every 50 ms.
constexpr std::chrono::seconds kShortestStop{1};
/// Between two looks for room; in this time a consumer reads one or two batches.
constexpr std::chrono::microseconds kBetweenLooks{4};

PoolGeometry pool_geometry(const ScanGeometry& geometry) {
  return {.blocks = std::uint32_t(geometry.pool_bytes / kBlockBytes),
          .units_per_block = kUnitsPerBlock,
          .lanes = geometry.lanes,
          .slots = geometry.slots};
}

void wake(const std::vector<std::shared_ptr<Seat>>& sleepers) {
  for (const auto& seat : sleepers) futex_wake(seat->memory.header().bell.bell);
}

/// After a fence that is the partner of announce_sleep().
void wake_if_asleep(const Seat& seat) {
  auto& bell = seat.memory.header().bell;
  if (!must_ring<Atomics>(bell)) return;
  ring<Atomics>(bell);
  futex_wake(bell.bell);
}

}  // namespace

Distributor::Distributor(std::span<std::byte> pool, ControlMemory& control, std::uint64_t ready)
    : Distributor(pool, control, std::array{PoolPart{ready, 0}}, {}) {}

Distributor::Distributor(std::span<std::byte> pool, ControlMemory& control, std::span<const PoolPart> parts,
                         std::vector<std::uint16_t> homes)
    : pool_(pool), control_(control), accounts_(pool_geometry(control.geometry()), std::move(homes)) {
  for (const PoolPart& part : parts) accounts_.add_blocks(std::uint32_t(part.end / kBlockBytes), part.home);
}

void Distributor::make_as_needed(Grow grow) {
  const Lock lock(mutex_);
  grow_ = std::move(grow);
}

std::string Distributor::shortage() const {
  const Lock lock(mutex_);
  return shortage_;
}

/// Makes more of the pool, without the mutex; somebody else may be doing so, and is
/// then waited for by who finds no room meanwhile.
void Distributor::grow_pool(Lock& lock, std::uint16_t home) {
  growing_ = true;
  lock.unlock();
  const auto ready = grow_(home);
  lock.lock();
  growing_ = false;
  if (ready) accounts_.add_blocks(std::uint32_t(*ready / kBlockBytes), home);
  if (!ready) shortage_ = ready.error().message();
  if (!ready || *ready >= pool_.size()) grow_ = nullptr;
  room_.notify_all();
}

// ---- publishing -------------------------------------------------------------

Result<void> Distributor::publish(unsigned worker, const OutgoingBatch& batch) {
  if (batch.bytes.empty()) return fail(EINVAL, "an empty batch was to be published");
  if (batch.bytes.size() > max_batch_bytes())
    return fail(EMSGSIZE, fmt::format("a batch of {} bytes does not fit in a quarter of the pool, {} bytes",
                                      batch.bytes.size(), max_batch_bytes()));
  const auto units = std::uint32_t((batch.bytes.size() + kUnitBytes - 1) / kUnitBytes);
  const auto placement = find_room(worker, units, batch.rows);
  if (!placement) return tl::unexpected(placement.error());
  std::memcpy(pool_.data() + std::size_t(placement->unit) * kUnitBytes, batch.bytes.data(),
              batch.bytes.size());
  wake(conclude(*placement, batch));
  return {};
}

Result<PoolAccounts::Placement> Distributor::find_room(unsigned worker, std::uint32_t units,
                                                       std::uint32_t rows) {
  Lock lock(mutex_);
  const auto since = Clock::now();
  bool waited = false;
  for (;;) {
    const bool closed = stopped_ || finished_;
    // What is only not made yet is no reason to take anything back.
    if (grow_ && !closed && !accounts_.has_spare(worker, units)) {
      if (!growing_)
        grow_pool(lock, accounts_.home_of(worker));
      else if (accounts_.free_blocks() == 0 || units > kUnitsPerBlock)
        room_.wait_for(lock, kWaitSlice);
      if (!growing_ || accounts_.free_blocks() == 0 || units > kUnitsPerBlock) continue;
    }
    auto placement =
        closed ? tl::unexpected(PoolAccounts::Refusal::full) : accounts_.place(worker, units, rows);
    if (closed || placement) {
      if (waited) end_waiting(since);
      if (closed) return fail(ECANCELED, "the scan has been stopped");
      return *placement;
    }
    if (placement.error() == PoolAccounts::Refusal::lanes_busy) {
      ++waiting_for_lane_;
      lane_free_.wait_for(lock, kWaitSlice);
      --waiting_for_lane_;
    } else if (!drain_everybody()) {
      wait_for_room(lock, since, waited);
    }
  }
}

/// Of those who find no room one looks for it, and the others sleep until it has found some: then
/// the next one looks. Only when it gave up do the consumers hear that we starve; having said so,
/// the caller looks once more before sleeping, see starvation_gate.h.
void Distributor::wait_for_room(Lock& lock, Clock::time_point since, bool& waited) {
  if (!waited) begin_waiting(since);
  waited = true;
  if (looking_ || declared_starved_)
    room_.wait_for(lock, kWaitSlice);
  else if (!look_for_room(lock))
    declare();
}

/// Consumers that are busy reading give something back every few µs, or once those have had
/// their turn that share a CPU: to look again costs less than a kick and two wakes per batch. Not at
/// once, for each look takes a line from the consumer; and yielding, later sleeping, since the
/// consumer may need this very CPU. False: nothing of use came back.
bool Distributor::look_for_room(Lock& lock) {
  if (accounts_.attached() == 0) return false;
  looking_ = true;
  const auto since = Clock::now();
  auto now = since;
  bool came = false;
  while (!came && now - since < kLook) {
    if (now - since < kSpin)
      give_others_the_cpu(lock);
    else
      room_.wait_for(lock, kDoze);
    came = (take_back_from_everybody() && accounts_.may_have_room()) || stopped_ || finished_ || accounts_.attached() == 0;
    now = Clock::now();
  }
  looking_ = false;
  return came;
}

void Distributor::give_others_the_cpu(Lock& lock) {
  lock.unlock();
  const auto until = Clock::now() + kBetweenLooks;
  do std::this_thread::yield();
  while (Clock::now() < until);
  lock.lock();
}

void Distributor::begin_waiting(Clock::time_point since) {
  if (starving_++ == 0) starved_since_ = since;
  waiting_since_sum_ += since.time_since_epoch();
}

void Distributor::declare() {
  declared_starved_ = true;
  declare_starved<Atomics>(control_.writable_header().starved);
}

/// Whoever waits on is woken to look for itself, before the consumers have to kick again.
void Distributor::end_waiting(Clock::time_point since) {
  waiting_since_sum_ -= since.time_since_epoch();
  backpressure_ += Clock::now() - since;
  --starving_;
  if (declared_starved_) end_starvation<Atomics>(control_.writable_header().starved);
  declared_starved_ = false;
  room_may_have_come();
}

void Distributor::note_move() {
  ++moves_;
  jammed_since_.reset();
}

void Distributor::room_may_have_come() {
  note_move();
  if (starving_ == 0) return;
  if (accounts_.run_waits())
    room_.notify_all();
  else
    room_.notify_one();
}

/// Under the mutex the batch becomes readable in the books and for the consumers
/// at once: whoever gives it back finds it entered.
std::vector<std::shared_ptr<Seat>> Distributor::conclude(const PoolAccounts::Placement& placement,
                                                         const OutgoingBatch& batch) {
  BatchDescriptor descriptor{.sequence = placement.sequence,
                             .offset = std::uint64_t(placement.unit) * kUnitBytes,
                             .length = std::uint32_t(batch.bytes.size()),
                             .rows = batch.rows,
                             .rows_before = placement.rows_before,
                             .content_hash = batch.content_hash,
                             .file_bytes = batch.file_bytes,
                             .records = batch.records};
  const Lock lock(mutex_);
  for (const auto& group : groups_)
    if (group->state != GroupState::closed)
      group->books->open(placement.lane, placement.sequence, placement.unit, batch.rows);
  control_.writer(placement.lane).publish(descriptor);
  accounts_.published(placement.lane);
  ++totals_.batches;
  totals_.rows += batch.rows;
  totals_.records += batch.records;
  totals_.file_bytes = saturating_add(totals_.file_bytes, batch.file_bytes);
  totals_.content_hash += batch.content_hash;
  if (waiting_for_lane_ > 0) lane_free_.notify_one();
  room_may_have_come();  // the lane's open block, to those who found only busy lanes with room
  return sleepers();
}

/// Those whose bell must be rung after the release store just made. Their seats
/// are kept alive, since the wake itself happens without the mutex.
std::vector<std::shared_ptr<Seat>> Distributor::sleepers() {
  std::vector<std::shared_ptr<Seat>> asleep;
  Atomics::fence_seq_cst();  // partner: announce_sleep()
  for (const auto& seat : seats_) {
    auto& bell = seat->memory.header().bell;
    if (!seat->attached || seat->group || !must_ring<Atomics>(bell)) continue;
    ring<Atomics>(bell);
    asleep.push_back(seat);
  }
  for (const auto& group : groups_)
    if (auto member = next_sleeper(*group)) asleep.push_back(std::move(member));
  return asleep;
}

/// One batch, one member: of those that sleep the next in turn. Who is passed over
/// looks again within its slice.
std::shared_ptr<Seat> Distributor::next_sleeper(Group& group) {
  const std::size_t count = group.members.size();
  for (std::size_t i = 0; i < count; ++i) {
    Seat* seat = group.members[(group.woken + i) % count];
    if (!seat || !seat->attached || !must_ring<Atomics>(seat->memory.header().bell)) continue;
    group.woken = (group.woken + i + 1) % count;
    ring<Atomics>(seat->memory.header().bell);
    return seat->shared_from_this();
  }
  return nullptr;
}

void Distributor::finish(bool complete) {
  std::vector<std::shared_ptr<Seat>> asleep;
  {
    Lock lock(mutex_);
    if (finished_) return;
    finished_ = true;
    room_.notify_all();
    // Copies under way end within microseconds; their batches still count.
    ++waiting_for_lane_;
    while (accounts_.any_lane_busy()) lane_free_.wait_for(lock, kWaitSlice);
    --waiting_for_lane_;
    ControlHeader& header = control_.writable_header();
    header.end = totals_;
    // Pairs with the acquire in StreamReader::end().
    Atomics::store_release(header.state,
                           std::uint32_t(complete ? StreamState::complete : StreamState::cut_short));
    asleep = sleepers();
    for (const auto& group : groups_) {
      follow_books(*group);
      wake_members(*group);
    }
    lane_free_.notify_all();
  }
  wake(asleep);
}

void Distributor::stop() {
  const Lock lock(mutex_);
  stopped_ = true;
  room_.notify_all();
  lane_free_.notify_all();
}

// ---- consumers --------------------------------------------------------------

Result<Distributor::Admission> Distributor::attach(Applicant applicant) {
  const ScanGeometry& geometry = control_.geometry();
  auto memory = ConsumerMemory::create(geometry.lanes, geometry.return_slots);
  if (!memory) return tl::unexpected(memory.error());
  UniqueFd kick(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!kick) return fail_errno("cannot make an eventfd for a consumer");
  auto seat = std::make_shared<Seat>(std::move(applicant), *std::move(memory), std::move(kick));

  Admission admission{seat, 0};
  std::shared_ptr<Group> group;
  if (!seat->who.group.empty()) {
    auto joined = group_for(seat->who);
    if (!joined) return tl::unexpected(joined.error());
    group = *std::move(joined);
  }
  const Lock lock(mutex_);
  if (auto seated = take_seat(*seat, group, admission); !seated) return tl::unexpected(seated.error());
  if (!group) seat->grant = grant();
  count_grant(seat->grant, +1);
  seats_.push_back(seat);
  ++ever_attached_;
  room_.notify_all();  // somebody is there now: what nobody holds may be freed
  return admission;
}

Result<void> Distributor::take_seat(Seat& seat, const std::shared_ptr<Group>& group, Admission& admission) {
  if (group) {
    auto& members = group->members;
    const auto free = std::find(members.begin(), members.end(), nullptr);
    seat.member = std::uint32_t(free - members.begin());
    if (seat.member == LedgerEntry::kMostMembers) return fail(EUSERS, "the group is full");
    if (free == members.end())
      members.push_back(&seat);
    else
      *free = &seat;
    seat.group = group;
    seat.id = group->id;
    group->empty_since.reset();
    admission.missed_rows = group->missed_rows;
    return {};
  }
  const auto entrance = accounts_.attach(seat.who.start);
  if (!entrance) return fail(ENODATA, fmt::format("{} rows are gone", accounts_.gone_rows()));
  seat.id = entrance->consumer;
  admission.missed_rows = entrance->missed_rows;
  // Relaxed: the consumer sees them through the message that brings it the memory.
  for (std::uint32_t lane = 0; lane < control_.geometry().lanes; ++lane)
    Atomics::store_relaxed(seat.memory.cursor(lane), entrance->start[lane]);
  return {};
}

/// An eighth of what is left of half the pool, so that newcomers get something for
/// long. At least two blocks as long as there are: whoever reads one batch after the
/// other still has the last one when the next comes. Then single blocks of another
/// quarter, with which most pairs of batches need no copy; the last quarter is never
/// pinned.
Grant Distributor::grant() const {
  const auto blocks = std::uint32_t(pool_.size() / kBlockBytes);
  const std::uint32_t left = blocks / 2 - granted_blocks_;
  if (left > 0) return {.blocks = std::min(left, std::max(2u, left / 8))};
  return {.blocks = granted_late_ < blocks / 4 ? 1u : 0u, .late = true};
}

void Distributor::count_grant(const Grant& grant, int sign) {
  (grant.late ? granted_late_ : granted_blocks_) += std::uint32_t(sign) * grant.blocks;
}

std::uint64_t Distributor::gone_rows() const {
  const Lock lock(mutex_);
  return accounts_.gone_rows();
}

void Distributor::detach(Seat& seat) {
  const Lock lock(mutex_);
  detach_locked(seat);
  room_may_have_come();
}

/// An honest consumer has taken no more than its grant and the one batch that it is about to
/// copy. Who says more would keep the pool for ever, and loses it.
void Distributor::detach_locked(Seat& seat) {
  if (!seat.attached) return;
  seat.attached = false;
  if (seat.group) return;  // what it has claimed it still has
  // Acquire through the revocation: takes and returns that came before it are seen.
  for (std::uint32_t lane = 0; lane < control_.geometry().lanes; ++lane) {
    const std::uint64_t final_cursor = revoke<Atomics>(seat.memory.cursor(lane));
    if (!seat.expelled) accounts_.observe_cursor(seat.id, lane, final_cursor);
  }
  take_back(seat);  // it may have read on since the last look
  accounts_.detach(seat.id);
  if (accounts_.blocks_held_beside_one_batch(seat.id) > seat.grant.blocks) accounts_.dispossess(seat.id);
}

void Distributor::forget(const std::shared_ptr<Seat>& seat) {
  const Lock lock(mutex_);
  if (std::erase(seats_, seat) == 0) return;
  count_grant(seat->grant, -1);
  if (seat->group)
    leave_group(*seat);
  else
    accounts_.forget(seat->id);
  room_may_have_come();
}

void Distributor::drain(Seat& seat) {
  const Lock lock(mutex_);
  if (drain_locked(seat)) room_may_have_come();
}

bool Distributor::settled(Seat& seat) {
  const Lock lock(mutex_);
  const bool moved = drain_locked(seat);
  if (seat.attached) return false;
  if (!seat.group) return accounts_.held_batches(seat.id) == 0;
  const auto now = Clock::now();
  if (!moved && now < seat.next_settled_look) return false;
  seat.next_settled_look = now + kGroupPace;
  return seat.group->books->held_by(seat.member) == 0;
}

bool Distributor::dismissed(const Seat& seat) const {
  const Lock lock(mutex_);
  return seat.expelled || seat.evicted;
}

/// True if anything came back. Cursors are left alone: each look at one takes its line from the
/// consumer, which then waits for it with its next batch.
bool Distributor::take_back_from_everybody() {
  bool progress = false;
  for (const auto& seat : seats_) progress |= take_back(*seat);
  return progress;
}

bool Distributor::take_back(Seat& seat) {
  if (seat.expelled) return false;
  if (seat.group) return drain_member(seat);
  bool progress = false, held_all = true;
  const bool sound = seat.returns.drain([&](Return returned) {
    progress = true;
    held_all &= accounts_.give_back(seat.id, returned.unit, returned.sequence_low);
  });
  if (!sound || !held_all) expel(seat);
  return progress;
}

/// True if anything came back or any cursor moved.
bool Distributor::drain_everybody() {
  bool progress = false;
  for (const auto& seat : seats_) progress |= drain_locked(*seat);
  return progress;
}

bool Distributor::drain_locked(Seat& seat) {
  const bool progress = take_back(seat);
  if (seat.group || !seat.attached) return progress;  // expelled: no longer attached
  const auto moved = observe_cursors(seat);
  if (moved == Observation::dishonest) expel(seat);
  return progress || moved == Observation::moved;
}

Distributor::Observation Distributor::observe_cursors(Seat& seat) {
  auto result = Observation::unchanged;
  for (std::uint32_t lane = 0; lane < control_.geometry().lanes; ++lane) {
    // Acquire, pairs with the release in LaneReader::take: its slot may be written again.
    const std::uint64_t cursor = cursor_position(Atomics::load_acquire(seat.memory.cursor(lane)));
    const std::uint64_t known = accounts_.cursor(seat.id, lane);
    if (cursor == known) continue;
    if (!accounts_.observe_cursor(seat.id, lane, cursor)) return Observation::dishonest;
    result = Observation::moved;
  }
  return result;
}

/// It can only have hurt itself so far, and is not listened to again. What it
/// holds within its grant stays until its process is gone: somebody may be reading it.
void Distributor::expel(Seat& seat) {
  seat.expelled = true;
  detach_locked(seat);
}

// ---- groups -----------------------------------------------------------------

void Distributor::govern_groups(const GroupRules& rules, std::chrono::nanoseconds linger) {
  const Lock lock(mutex_);
  group_rules_ = rules;
  group_linger_ = linger;
}

/// The group that the applicant names, made if there is none. By the one thread that attaches.
Result<std::shared_ptr<Group>> Distributor::group_for(const Applicant& applicant) {
  const auto named = [&](const auto& group) {
    return group->name == applicant.group && group->state != GroupState::closed;
  };
  {
    const Lock lock(mutex_);
    const auto found = std::find_if(groups_.begin(), groups_.end(), named);
    if (found != groups_.end()) return *found;
  }
  auto memory = GroupMemory::create(control_.geometry());
  if (!memory) return tl::unexpected(memory.error());
  auto group = std::make_shared<Group>(applicant.group, *std::move(memory));

  const Lock lock(mutex_);
  const auto entrance = accounts_.attach(applicant.start, PoolAccounts::Order::any);
  if (!entrance) return fail(ENODATA, fmt::format("{} rows are gone", accounts_.gone_rows()));
  group->id = entrance->consumer;
  group->missed_rows = entrance->missed_rows;
  group->books = std::make_unique<GroupBooks>(
      group->memory, entrance->start, [this, id = group->id](std::uint32_t unit, std::uint64_t sequence) {
        accounts_.give_back(id, unit, std::uint32_t(sequence));
      });
  for (const auto& batch : accounts_.readable(group->id))
    group->books->open(batch.lane, batch.sequence, batch.unit, batch.rows);
  groups_.push_back(group);
  return group;
}

/// True if anything came back.
bool Distributor::drain_member(Seat& seat) {
  Group& group = *seat.group;
  bool progress = false;
  const bool sound = seat.returns.drain([&](Return returned) {
    if (group.forgotten) return;
    const auto batch = accounts_.held_at(group.id, returned.unit);
    if (!batch || std::uint32_t(batch->sequence) != returned.sequence_low) return;
    progress = true;
    group.books->returned(seat.member, batch->lane, batch->sequence);
  });
  if (!sound) expel(seat);
  if (progress) follow_books(group);
  return progress;
}

/// The member's process is gone, and what it had goes to others.
void Distributor::leave_group(Seat& seat) {
  Group& group = *seat.group;
  drain_locked(seat);
  if (group.books->member_gone(seat.member, rules_of(group))) wake_members(group);
  group.members[seat.member] = nullptr;
  follow_books(group);
}

GroupRules Distributor::rules_of(const Group& group) const {
  GroupRules rules = group_rules_;
  rules.closed = group.state == GroupState::closed;
  return rules;
}

/// What the books have settled moves the group's cursors, and may be its end.
void Distributor::follow_books(Group& group) {
  if (group.forgotten) return;
  for (std::uint32_t lane = 0; lane < control_.geometry().lanes; ++lane)
    accounts_.observe_cursor(group.id, lane, group.books->floors()[lane]);
  if (finished_ && group.state == GroupState::open && group.books->settled()) end(group, GroupState::over);
}

void Distributor::end(Group& group, GroupState state) {
  group.state = state;
  // Pairs with the acquire in GroupReader::state.
  Atomics::store_release(group.memory.header().state, std::uint32_t(state));
  wake_members(group);
}

/// Seldom, so the system call under the mutex does not matter.
void Distributor::wake_members(const Group& group) {
  Atomics::fence_seq_cst();  // partner: announce_sleep()
  for (const Seat* seat : group.members) {
    if (seat) wake_if_asleep(*seat);
  }
}

/// Somebody who may come back for more, or was told that there is none and can still be done with something.
bool Distributor::has_members(const Group& group) const {
  return std::any_of(group.members.begin(), group.members.end(), [&](const Seat* seat) {
    return seat && (seat->told_end ? group.books->owned_by(seat->member) > 0 : seat->attached);
  });
}

/// It sleeps, waiting for a batch; and was not stopped in its sleep, or its lease would never end.
bool Distributor::asks(Seat& seat, Clock::time_point now) const {
  // Relaxed: ordered after the claim, see GroupBooks::sweep.
  const std::uint32_t sleep = Atomics::load_relaxed(seat.memory.header().bell.waiting);
  if (!seat.attached || sleep == 0) return false;
  if (sleep != seat.sleep) seat.sleep = sleep, seat.sleep_since = now;
  return now - seat.sleep_since < std::max<std::chrono::nanoseconds>(group_rules_.lease, kShortestStop);
}

void Distributor::tell(Seat& seat, MemberNotice notice) {
  // Pairs with the acquire in ConsumerSession::conclude_if_group_is_over.
  Atomics::store_release(seat.memory.header().notice, std::uint32_t(notice));
  Atomics::fence_seq_cst();  // partner: announce_sleep()
  wake_if_asleep(seat);
}

/// All who have something ask for more: once to see who is there, then to tell them.
void Distributor::end_for_members(Group& group, const std::vector<std::uint32_t>& owners, Clock::time_point now) {
  const auto is_there = [&](std::uint32_t member) { return answered(*group.members[member]); };
  if (!group.roll_called)
    call_the_roll(group, now);
  else if (std::all_of(owners.begin(), owners.end(), is_there))
    tell_the_end(group, owners, now);
}

/// Who asks for more at the end is woken once before it is told anything: one that was stopped
/// in its sleep does not come back, and must not be the one that the others rely on.
void Distributor::call_the_roll(Group& group, Clock::time_point now) {
  for (Seat* seat : group.members)
    if (seat && asks(*seat, now)) seat->roll_call = seat->sleep;
  group.roll_called = true;
  wake_members(group);
}

bool Distributor::answered(const Seat& seat) {
  return seat.told_end || seat.sleep != seat.roll_call;
}

/// Everything was published and has been claimed. Members that ask for more while they keep
/// something, as every `for batch in consumer` does, would wait for each other for ever; so they
/// are told that it is over, but for one, for as long as it may be needed: what the others
/// keep comes to it if they die or forget it.
void Distributor::tell_the_end(Group& group, const std::vector<std::uint32_t>& owners, Clock::time_point now) {
  const auto owns = [&](std::uint32_t member) { return std::binary_search(owners.begin(), owners.end(), member); };
  bool somebody_stays = std::any_of(group.members.begin(), group.members.end(), [&](Seat* seat) {
    return seat && !seat->told_end && asks(*seat, now) && answered(*seat) && !owns(seat->member);
  });
  for (const std::uint32_t owner : owners) {
    Seat& seat = *group.members[owner];
    if (seat.told_end) continue;
    if (owners.size() > 1 && !somebody_stays) {
      somebody_stays = true;
      continue;
    }
    seat.told_end = true;
    tell(seat, MemberNotice::end);
  }
}

/// The pool is full of what members keep while they ask for more, and nobody else has anything
/// to read: only a drop can help, and for a whole lease none came. Who has most is told. A member
/// that asks again and again is not always seen asleep: once since anything moved is enough.
void Distributor::look_for_jam(Clock::time_point now) {
  const bool jammed =
      starving_ > 0 &&
      std::all_of(groups_.begin(), groups_.end(), [](const auto& group) { return group->state != GroupState::open || group->all_asked; }) &&
      std::all_of(seats_.begin(), seats_.end(),
                  [&](const auto& seat) { return seat->group || !seat->attached || accounts_.caught_up(seat->id); });
  if (!jammed) return jammed_since_.reset();
  if (!jammed_since_) jammed_since_ = now;
  if (now - *jammed_since_ < group_rules_.lease) return;
  jammed_since_ = now;
  Seat* worst = nullptr;
  std::uint64_t most = 0;
  for (const auto& seat : seats_) {
    const std::uint64_t held = seat->group && seat->asked_at == moves_ ? seat->group->books->held_by(seat->member) : 0;
    if (held > most) most = held, worst = seat.get();
  }
  if (worst) tell(*worst, MemberNotice::jammed);
}

void Distributor::look_after_groups() {
  const Lock lock(mutex_);
  const auto now = Clock::now();
  if (groups_.empty() || now < next_group_look_) return;
  next_group_look_ = now + kGroupPace;
  if (drain_everybody()) room_may_have_come();
  for (const auto& group : groups_) look_after(*group, now);
  if (!groups_.empty()) look_for_jam(now);
  const auto gone = [&](const std::shared_ptr<Group>& group) {
    if (group->state != GroupState::closed || !group->books->released()) return false;
    past_groups_.push_back(status_of(*group));
    accounts_.forget(group->id);
    group->forgotten = true;
    return true;
  };
  if (std::erase_if(groups_, gone) > 0) room_may_have_come();
}

void Distributor::look_after(Group& group, Clock::time_point now) {
  const auto seat_of = [&](std::uint32_t member) {
    return member < group.members.size() ? group.members[member] : nullptr;
  };
  const GroupBooks::Members members{
      .known = [&](std::uint32_t member) { return seat_of(member) != nullptr; },
      .asking = [&](std::uint32_t member) { return asks(*seat_of(member), now); }};
  const auto sweep = group.books->sweep(now, rules_of(group), members);
  if (sweep.offered) wake_members(group);
  follow_books(group);
  if (sweep.unclaimed) note_move();
  for (Seat* seat : group.members)
    if (seat && asks(*seat, now)) seat->asked_at = moves_;
  const auto all_owners = [&](auto&& test) {
    return !sweep.unclaimed && std::all_of(sweep.owners.begin(), sweep.owners.end(), [&](std::uint32_t member) {
      Seat* seat = seat_of(member);
      return seat && (seat->told_end || test(*seat));
    });
  };
  group.all_asked = all_owners([this](const Seat& seat) { return seat.asked_at == moves_; });
  if (!finished_ || group.state != GroupState::open || sweep.unclaimed)
    group.roll_called = false;
  else if (all_owners([&](Seat& seat) { return asks(seat, now); }))
    end_for_members(group, sweep.owners, now);
  if (has_members(group) || group.state != GroupState::open)
    group.empty_since.reset();
  else if (!group.empty_since)
    group.empty_since = now;
  else if (now - *group.empty_since >= group_linger_)
    close(group);
}

/// Evicted or dissolved: what a member has it keeps, the rest nobody gets.
void Distributor::close(Group& group) {
  group.books->withhold();
  follow_books(group);
  accounts_.detach(group.id);
  end(group, GroupState::closed);
  room_may_have_come();
}

GroupStatus Distributor::status_of(const Group& group) const {
  const GroupFigures& figures = group.books->figures();
  GroupStatus status{.name = group.name,
                     .done_batches = figures.concluded,
                     .redeliveries = figures.redelivered,
                     .poisoned_batches = figures.poisoned,
                     .poisoned_rows = figures.poisoned_rows,
                     .dissolved = group.state == GroupState::closed};
  for (const Seat* seat : group.members) status.members += seat && seat->attached;
  return status;
}

std::vector<GroupStatus> Distributor::groups() const {
  const Lock lock(mutex_);
  std::vector<GroupStatus> all = past_groups_;
  for (const auto& group : groups_) all.push_back(status_of(*group));
  return all;
}

// ---- slow consumers ---------------------------------------------------------

std::vector<ConsumerStatus> Distributor::watch_slow_consumers(
    std::optional<std::chrono::nanoseconds> evict_after, bool only_who_read_on) {
  std::vector<std::shared_ptr<Seat>> evicted;
  std::vector<ConsumerStatus> statuses;
  {
    const Lock lock(mutex_);
    if (drain_everybody()) room_may_have_come();
    const auto now = Clock::now();
    const std::vector<bool> guilty = starving_ > 0 ? accounts_.holding_back() : std::vector<bool>();
    for (const auto& seat : seats_) {
      if (!seat->attached || seat->group) continue;
      const bool holds_back = starving_ > 0 && guilty[seat->id];
      seat->slowness.look(now, holds_back, accounts_.cursors(seat->id), heads());
      const bool spared = seat->who.pid == ::getpid() || (only_who_read_on && !seat->who.reads_on);
      if (!evict_after || spared || !holds_back || seat->slowness.stuck(now) < *evict_after) continue;
      statuses.push_back(status_of(*seat));
      statuses.back().evicted = true;
      evict(*seat);
      evicted.push_back(seat);
    }
    watch_groups(now, guilty, only_who_read_on ? std::nullopt : evict_after, statuses);
    if (!evicted.empty()) room_may_have_come();
  }
  wake(evicted);
  return statuses;
}

/// A group as a whole is as slow as the claiming of its batches; it is evicted with
/// all its members.
void Distributor::watch_groups(Clock::time_point now, const std::vector<bool>& guilty,
                               std::optional<std::chrono::nanoseconds> evict_after,
                               std::vector<ConsumerStatus>& evicted) {
  for (const auto& group : groups_) {
    if (group->state != GroupState::open) continue;
    const bool holds_back = starving_ > 0 && guilty[group->id];
    group->slowness.look(now, holds_back, group->books->claimed(), heads());
    if (!evict_after || !holds_back || group->slowness.stuck(now) < *evict_after) continue;
    for (Seat* seat : group->members) {
      if (!seat || !seat->attached) continue;
      evicted.push_back(status_of(*seat));
      evicted.back().evicted = seat->evicted = true;
      seat->attached = false;
    }
    close(*group);
  }
}

SlowWatch::Positions Distributor::heads() const {
  SlowWatch::Positions heads;
  for (std::uint32_t lane = 0; lane < control_.geometry().lanes; ++lane) heads.push_back(accounts_.head(lane));
  return heads;
}

/// Taking races with this, by one compare-and-swap against one fetch-or: every
/// batch is taken, and stays as it is until it is given back, or it never will be.
void Distributor::evict(Seat& seat) {
  seat.evicted = true;
  detach_locked(seat);
  ring<Atomics>(seat.memory.header().bell);
}

// ---- what is shown ----------------------------------------------------------

void Distributor::reuse_without_consumers(bool allowed) {
  const Lock lock(mutex_);
  accounts_.reuse_without_consumers(allowed);
  room_.notify_all();
}

Attendance Distributor::attendance() {
  const Lock lock(mutex_);
  if (drain_everybody()) room_may_have_come();
  const bool all = std::all_of(seats_.begin(), seats_.end(), [&](const auto& seat) {
    return !seat->attached || seat->group || (finished_ && accounts_.caught_up(seat->id));
  });
  const bool groups = std::all_of(groups_.begin(), groups_.end(),
                                  [](const auto& group) { return group->state != GroupState::open; });
  const auto attached = std::count_if(seats_.begin(), seats_.end(), [](const auto& seat) { return seat->attached; });
  return {.attached = unsigned(attached), .ever = ever_attached_, .all_finished = all && groups};
}

bool Distributor::starved() const {
  const Lock lock(mutex_);
  return starving_ > 0;
}

std::chrono::nanoseconds Distributor::backpressure() const {
  const Lock lock(mutex_);
  return backpressure_ + starving_ * Clock::now().time_since_epoch() - waiting_since_sum_;
}

std::uint64_t Distributor::batches() const {
  const Lock lock(mutex_);
  return totals_.batches;
}

std::vector<ConsumerStatus> Distributor::consumers() {
  const Lock lock(mutex_);
  if (drain_everybody()) room_may_have_come();
  const std::vector<bool> guilty = starving_ > 0 ? accounts_.holding_back() : std::vector<bool>();
  const auto now = Clock::now();
  std::vector<ConsumerStatus> statuses;
  for (const auto& seat : seats_) {
    statuses.push_back(status_of(*seat));
    ConsumerStatus& status = statuses.back();
    status.holding_back = starving_ > 0 && guilty[seat->id] && (!seat->group || is_behind(*seat));
    if (!status.holding_back) continue;
    const SlowWatch& slowness = seat->group ? seat->group->slowness : seat->slowness;
    const auto known = std::max<Clock::duration>(slowness.holding_back(now), now - starved_since_);
    status.holding_back_seconds = std::chrono::duration<double>(known).count();
  }
  return statuses;
}

/// A group that has batches nobody claimed is slow as a whole; otherwise those are who have some.
bool Distributor::is_behind(const Seat& seat) const {
  const Group& group = *seat.group;
  return group.state == GroupState::open &&
         (group.books->claimed() != heads() || group.books->held_by(seat.member) > 0);
}

ConsumerStatus Distributor::status_of(const Seat& seat) const {
  ConsumerStatus status{.label = seat.who.label,
                        .command = seat.who.command,
                        .pid = std::uint32_t(seat.who.pid),
                        .held_batches = seat.group ? seat.group->books->held_by(seat.member)
                                                   : accounts_.held_batches(seat.id),
                        .lag_rows = seat.group && seat.group->state == GroupState::closed
                                        ? 0
                                        : accounts_.untaken_rows(seat.id),
                        .group = seat.who.group,
                        .evicted = seat.evicted};
  const SlowWatch& slowness = seat.group ? seat.group->slowness : seat.slowness;
  status.holding_back_seconds = std::chrono::duration<double>(slowness.holding_back(Clock::now())).count();
  return status;
}

}  // namespace pwalk::ipc
