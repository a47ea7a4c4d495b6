#include "worker.h"

#include <fcntl.h>

#include <new>

#include "metadata_server.h"
#include "saturated.h"
#include "tuning_profile.h"

namespace pwalk {

using schema::Column;
using schema::ColumnSet;
using schema::Entry;
using schema::Operation;

namespace {

/// A directory far above the frontier's share is read in small blocks, so that no
/// level of a deep and wide tree adds much before it is put aside.
constexpr std::size_t kSmallBlock = 16 * 1024;

/// Room that a directory's path must leave for the names in it.
constexpr std::size_t kNameRoom = 4096;

/// Bytes of a directory entry with a short name.
constexpr std::size_t kLeastDirent = 24;

/// Fewer names than these say nothing about a ring.
constexpr std::size_t kTrialNames = 64;

/// Requests in flight, all rings together.
constexpr unsigned kRingRequests = 512;

/// Parts of a large directory that are left for others while the next block is read.
constexpr std::size_t kPartsLeft = 8;

/// On a local filesystem the clock is looked at every so many names, elsewhere at each.
constexpr unsigned kNamesPerLook = 32;

/// Of the wanted columns those that are known without a stat.
ColumnSet without_stat(ColumnSet wanted) {
  ColumnSet bare;
  for (Column column : {Column::type, Column::depth, Column::error, Column::operation, Column::flags})
    if (wanted.has(column)) bare.insert(column);
  return bare;
}

Entry entry_that_knows(ColumnSet columns) {
  Entry entry;
  entry.known = columns;
  return entry;
}

EntryKind kind_of(char letter) {
  return letter == 'd' ? EntryKind::directory : letter == '?' ? EntryKind::unknown : EntryKind::other;
}

ChangeTimes changed_of(const Entry& entry) {
  return {entry.mtime, entry.ctime, entry.known.has(Column::mtime) && entry.known.has(Column::ctime)};
}

bool is_gone(int result) { return result == -ENOENT || result == -ENOTDIR; }

bool is_elsewhere(const Identity& identity, const Identity& here) {
  if (!identity.known || !here.known) return false;
  if (identity.mount != 0 && here.mount != 0) return identity.mount != here.mount;
  return identity.device != here.device;
}

}  // namespace

Worker::Worker(unsigned number, Walk& walk)
    : number_(number),
      walk_(walk),
      plan_(walk.plan),
      bare_columns_(without_stat(plan_.columns)),
      blank_(entry_that_knows(bare_columns_)),
      stats_(plan_.roots.size()),
      writer_(number, plan_, walk.sink, walk.calls, stats_),
      reader_(make_reader()),
      opt_in_(std::make_unique<OptInReader>(walk.calls, plan_.columns)),
      known_(walk.known ? walk.known->reader() : nullptr) {}

std::unique_ptr<DirReader> Worker::make_reader() const {
  return std::make_unique<DirReader>(walk_.calls, plan_.dirent_buffer_bytes, plan_.use_getdents);
}

void Worker::run() {
  stats_.time.begin(walk_.calls.monotonic_ns());
  run_on();
}

void Worker::run_on() {
  for (bool more = true; more;) {
    try {
      more = step();
    } catch (const std::bad_alloc&) {
      run_out_of_memory();
    }
  }
  ring_.reset();
  stats_.time.end(walk_.calls.monotonic_ns());
}

// All frames in between are inline, see AttributeReader::read().
template <class Call, class Undo>
[[gnu::always_inline]] inline auto Worker::guarded(Operation operation, Call&& call, Undo&& undo) {
  CallGuard& guard = *guard_;
  doing_ = operation;
  guard.enter();
  auto result = call();
  if (guard.leave()) [[unlikely]] {
    undo(result);
    throw GivenUp{};
  }
  return result;
}

void Worker::flush_for_another() {
  try {
    flush();
  } catch (const std::bad_alloc&) {
    run_out_of_memory();
  }
}

// A sink that refuses ends the walk, even if it was the last batch.
void Worker::flush() {
  writer_.flush();
  if (writer_.is_stopped()) stop();
}

void Worker::prepare_to_disown() {
  left_guards_.push_back(std::make_unique<CallGuard>());
  left_readers_.push_back(make_reader());
  left_opt_ins_.push_back(std::make_unique<OptInReader>(walk_.calls, plan_.columns));
  left_rings_.reserve(left_rings_.size() + 1);
}

// What the other thread may still write to is left to it, but for the visit, which is
// gone with its stack as soon as it may go on.
void Worker::disown() {
  left_guards_.back().swap(guard_);
  left_readers_.back().swap(reader_);
  left_opt_ins_.back().swap(opt_in_);
  ahead_ = nullptr;
  if (ring_) left_rings_.push_back(std::move(ring_)), is_ring_refused_ = true;  // has its room
  taken_.emplace(visit_->node);
  taken_->record = visit_->record;
}

// A pin that the other thread held is never given back.
HungDirectory Worker::take_over() {
  Visit visit = *std::move(taken_);
  taken_.reset();
  visit.holds = Visit::Holds::nothing;
  walk_.cut_short[visit.node->root()].store(true, std::memory_order_relaxed);
  HungDirectory hung{plan_.roots[visit.node->root()].path, doing_};
  try {
    hung.path = cursor_.move_to(visit.node, plan_.roots[visit.node->root()].path);
    visit.fail(ETIMEDOUT, doing_);
    visit.record.flags &= std::uint8_t(~schema::kComplete);  // of a split listing that was read to its end
    leave_split(visit);
    if (!visit.node->parent() && !is_root_told_) tell_hung_root(visit);
  } catch (const std::bad_alloc&) {
    run_out_of_memory();
  }
  if (SplitDirectory* const helped = std::exchange(helping_, nullptr)) {
    tally_of(visit).show();
    flush();
    visit.node.reset();
    walk_.split.done(*helped, result_of(visit));
    return hung;
  }
  visit.is_reported = true;
  end(visit);
  flush();
  return hung;
}

// Nobody is sent into a directory that hangs: the names that wait are dropped.
void Worker::leave_split(Visit& visit) {
  if (!split_) return;
  while (walk_.split.take_own(*split_, 0)) {
  }
  close_split(visit);
}

void Worker::tell_hung_root(Visit& visit) {
  const PlannedRoot& root = plan_.roots[visit.node->root()];
  const std::size_t slash = root.path.rfind('/');
  Entry entry = blank_entry(root.path == "/" ? "" : std::string_view(root.path).substr(slash + 1), 0);
  entry.error = ETIMEDOUT;
  entry.operation = Operation::statx;
  writer_.enter(std::string_view(root.path).substr(0, slash), 0);
  emit(visit, entry);
  visit.record.entries = 0;  // the row belongs to the directory above
  visit.record.bytes = 0;
}

// A clean, partial end: what is queued is dropped, rows already sent stay sent.
void Worker::run_out_of_memory() {
  writer_.give_up();
  stop();
}

// Own work first, deepest first: that keeps the frontier small. What was put aside
// is taken up again when the rest has shrunk.
bool Worker::step() {
  if (walk_.control) return controlled_step();
  Frontier& frontier = walk_.frontier;
  if (aside_.empty() && frontier.should_park(number_)) {
    flush();
    stats_.time.begin_absence(walk_.calls.monotonic_ns());
    const bool more = frontier.park(number_);
    stats_.time.end_absence(walk_.calls.monotonic_ns());
    return more;
  }
  if (aside_.empty() || !frontier.is_below_half_share(number_))
    if (NodePtr own = frontier.take_own(number_)) return take_up(Visit(std::move(own))), true;
  if (!aside_.empty()) {
    Visit visit = std::move(aside_.back());
    aside_.pop_back();
    return take_up(std::move(visit)), true;
  }
  if (NodePtr stolen = frontier.steal(number_)) return take_up(Visit(std::move(stolen))), true;
  if (auto part = walk_.split.take_any()) return help(*part), true;
  flush();
  return idle([&] { return frontier.wait(number_); });
}

template <class Wait>
bool Worker::idle(Wait&& wait) {
  stats_.time.begin_idle(walk_.calls.monotonic_ns());
  const bool more = wait();
  stats_.time.end_idle(walk_.calls.monotonic_ns());
  return more;
}

// The same with somebody who holds the walk back. What was begun is read to its end whatever he says, since he
// may wait for it.
bool Worker::controlled_step() {
  Frontier& frontier = walk_.frontier;
  if (aside_.empty() && frontier.should_park(number_)) {
    flush();
    return idle([&] { return frontier.park(number_); });
  }
  const bool admitted = walk_.control->admit();
  const bool may_open = admitted || stopping();
  NodePtr next;
  if (may_open && (aside_.empty() || !frontier.is_below_half_share(number_))) next = frontier.take_own(number_);
  if (may_open && !next && aside_.empty()) next = frontier.steal(number_);
  if (next) return take_up(Visit(std::move(next))), true;
  if (admitted) walk_.control->give_back();
  if (!aside_.empty()) {
    Visit visit = std::move(aside_.back());
    aside_.pop_back();
    return take_up(std::move(visit)), true;
  }
  if (auto part = walk_.split.take_any()) return help(*part), true;
  flush();
  if (may_open || frontier.outstanding() == 0) return idle([&] { return frontier.wait(number_); });
  return idle([&] { return walk_.control->wait_for_room(), true; });
}

void Worker::take_up(Visit visit) {
  visit_ = &visit;
  is_root_told_ = false;
  try {
    if (!stopping()) visit.holds == Visit::Holds::user ? resume(visit) : start(visit);
  } catch (const std::bad_alloc&) {
    run_out_of_memory();
  }
  if (visit.node) end(visit);  // else it was put aside
}

void Worker::start(Visit& visit) {
  writer_.flush_if_old();
  if (!visit.node->parent() && !visit_root(visit)) return;
  if (walk_.control && is_declined(visit)) {
    visit.is_reported = true;  // neither complete nor an error
    return;
  }
  visit.is_known = recognise(visit);
  int fd = -1;
  if (visit.is_known && !known_->has_directories()) {
    visit.is_reported = true;
    read(visit, fd);  // from memory alone
  } else if (open(visit, fd)) {
    read(visit, fd);
  }
}

// Looks as an earlier scan found it. Then known_ is at its first row.
bool Worker::recognise(const Visit& visit) {
  const Identity& identity = visit.node->identity();
  const ChangeTimes& changed = visit.node->changed();
  if (!known_ || !identity.known || !changed.known) return false;
  const std::string_view path = cursor_.move_to(visit.node, plan_.roots[visit.node->root()].path);
  return known_->open(path, {identity.device, identity.inode, changed.mtime, changed.ctime});
}

bool Worker::is_declined(const Visit& visit) {
  return walk_.control->is_declined(cursor_.move_to(visit.node, plan_.roots[visit.node->root()].path));
}

void Worker::resume(Visit& visit) {
  const Opened opened = guarded(Operation::chdir, [&] { return walk_.directories.pin(*visit.node, number_); });
  if (!opened) return visit.fail(opened.error, opened.operation);
  visit.holds = Visit::Holds::pin;
  visit.lost_position |= visit.node->lease.lost_place();
  read(visit, opened.fd);
}

bool Worker::open(Visit& visit, int& fd) {
  const bool was_known = visit.node->identity().known;
  visit.holds = Visit::Holds::nothing;
  visit.is_reported = true;
  const Opened opened = stats_.open.time([&] { return walk_.calls.service_ns(); },
                                         [&] { return open_guarded(visit); });
  if (!opened) {
    // ENOTDIR: something else has taken its name; O_NOFOLLOW refuses links so.
    if (is_gone(-opened.error) && visit.node->parent())
      visit.record.flags |= schema::kDirectoryVanished;
    else
      visit.fail(opened.error, opened.operation);
    return false;
  }
  visit.holds = Visit::Holds::pin;
  fd = opened.fd;
  return admit(visit, was_known);
}

Opened Worker::open_guarded(Visit& visit) {
  return guarded(
      Operation::open, [&] { return walk_.directories.open(*visit.node, number_); },
      [&](const Opened& opened) {
        if (opened) walk_.directories.leave(*visit.node, number_);
      });
}

// What may_enter() decides, for a directory whose identity came only with its
// descriptor. A loop cannot be flagged in its row any more, so its record tells it.
bool Worker::admit(Visit& visit, bool was_known) {
  const DirectoryNode* parent = visit.node->parent();
  const Identity& identity = visit.node->identity();
  if (was_known || !parent || !identity.known) return true;
  if (parent->is_or_lies_in(identity)) {
    visit.fail(ELOOP, Operation::open);
    return false;
  }
  visit.is_reported = !plan_.options.traversal.one_file_system || identity.device == parent->identity().device;
  return visit.is_reported;
}

bool Worker::revive(Visit& visit, int fd) {
  if (visit.was_revived) return false;
  visit.was_revived = true;
  if (!guarded(Operation::open, [&] { return walk_.directories.revive(*visit.node, fd, number_); })) return false;
  reader_->forget_stream();
  return visit.lost_position = true;
}

// Neighbours mostly lie on the same mount.
void Worker::tune(const DirectoryNode& node, int fd) {
  const Identity& identity = node.identity();
  if (node.root() != tuned_root_ || identity.mount != tuned_mount_ || identity.device != tuned_device_) {
    tuning_ = walk_.mounts.tuning_of(node.root(), identity, fd);
    tuned_root_ = node.root(), tuned_mount_ = identity.mount, tuned_device_ = identity.device;
    directories_first_ = plan_.statx_mask != 0 && pwalk::tuning_of(tuning_.profile).directories_first;
    leave_servers();
  }
  if (tuning_.queue_by_server || opt_in_->wants_server()) ask_server(node, fd);
  if (opt_in_->wants_any()) opt_in_->enter(tuning_.profile, server_);
}

// On another mount, of which nothing is known yet.
void Worker::leave_servers() {
  server_.reset();
  queue_ = ServerQueues::kNoServer;
  walk_.frontier.serve(number_, queue_);
}

// Nothing tells it before the directory is open.
void Worker::ask_server(const DirectoryNode& node, int fd) {
  server_ = guarded(Operation::open, [&] { return metadata_server_of(walk_.calls, fd, tuning_.profile); });
  if (!tuning_.queue_by_server) return;
  queue_ = server_ ? ServerQueues::slot_of(node.identity().device, *server_) : ServerQueues::kNoServer;
  walk_.frontier.serve(number_, queue_);
}

void Worker::read(Visit& visit, int fd) {
  path_ = cursor_.move_to(visit.node, plan_.roots[visit.node->root()].path);
  writer_.enter(path_, visit.node->identity().inode);
  reader_->leave();
  if (fd >= 0) tune(*visit.node, fd);
  try {
    visit.is_known ? repeat_rows(visit, fd) : read_blocks(visit, fd);
  } catch (const std::bad_alloc&) {
    stop();
    close_split(visit);  // does nothing more that could fail
    throw;
  }
  close_split(visit);
  if (is_left_for_later_) put_aside(visit);
}

// Until the end, a failure, or the frontier has no room for more.
void Worker::read_blocks(Visit& visit, int fd) {
  is_left_for_later_ = false;
  while (!stopping()) {
    if (const int got = read_block(visit, fd); got <= 0) {
      if (got == 0)
        visit.record.flags |= schema::kComplete;
      else if (got == -ENOENT)  // removed while it was read: a normal end
        visit.record.flags |= schema::kDirectoryVanished;
      else
        visit.fail(-got, got == -ELOOP ? Operation::readdir : Operation::getdents);
      return;
    }
    take_block(visit, fd);
    if (reader_->damage() != 0) return visit.fail(reader_->damage(), Operation::getdents);
    tally_of(visit).show();
    writer_.flush_if_old();
    is_left_for_later_ = walk_.frontier.is_above_share(number_);
    if (is_left_for_later_) return;
  }
}

// As read_blocks(), but from what is known. `fd` is -1 where no entry is a directory.
void Worker::repeat_rows(Visit& visit, int fd) {
  is_left_for_later_ = false;
  if (visit.repeated == 0) {
    stats_.repeated_directories.store(stats_.repeated_directories.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  } else if (recognise(visit)) {  // it was put aside, and known_ has been elsewhere
    known_->skip(visit.repeated);
  }
  for (Entry entry; !stopping();) {
    if (!known_->next(entry)) {
      visit.record.flags |= schema::kComplete;
      return;
    }
    ++visit.repeated;
    if (entry.type == 'd')
      ask_directory(visit, fd, entry.name);
    else
      repeat_row(visit, entry);
    is_left_for_later_ = fd >= 0 && walk_.frontier.is_above_share(number_);
    if (is_left_for_later_) return;
  }
}

void Worker::repeat_row(Visit& visit, Entry& entry) {
  entry.depth = visit.node->depth() + 1;
  emit(visit, entry);
  look_at_age(false);
}

// Its times say what became of it.
void Worker::ask_directory(Visit& visit, int fd, std::string_view name) {
  asked_name_ = name;
  const Dirent found{asked_name_, DT_DIR};
  take_names(visit, fd, {&found, 1});
}

void Worker::take_block(Visit& visit, int fd) {
  if (asks_by_ring(visit)) {
    collect_names(visit);
    BackendChoice& choice = walk_.backends[visit.node->root()];
    if (choice.uses_ring()) return take_by_ring(visit, fd, names_);
    if (names_.size() >= kTrialNames && choice.begin_trial()) return try_both(visit, fd, names_);
    return take_names(visit, fd, names_);
  }
  if (directories_first_ || may_split(reader_->block().size() / kLeastDirent)) {
    collect_names(visit);
    return take_or_deal_out(visit, fd, names_);
  }
  Dirent found;
  while (!stopping() && reader_->next(found, visit.position)) take_name(visit, fd, found);
}

bool Worker::asks_by_ring(const Visit& visit) {
  const BackendChoice& choice = walk_.backends[visit.node->root()];
  if (!choice.uses_ring() && !choice.is_open()) return false;
  // What was found out about one mount says nothing of another below it.
  return !is_ring_refused_ && tuning_.profile == plan_.roots[visit.node->root()].profile;
}

// One per worker, made when it is first needed. Together they have about as many
// requests in flight as is of use.
StatxUring* Worker::ring() {
  if (ring_ || is_ring_refused_) return ring_.get();
  const unsigned share = std::clamp(kRingRequests / std::max(1u, walk_.frontier.active()), 8u, 128u);
  if (auto made = StatxUring::create({share, share}, &walk_.stop)) {
    ring_ = *std::move(made);
    walk_.used_ring.store(true, std::memory_order_relaxed);
  } else {
    is_ring_refused_ = true;
  }
  return ring_.get();
}

void Worker::collect_names(Visit& visit) {
  names_.clear();
  for (Dirent found; reader_->next(found, visit.position);) names_.push_back(found);
  // Where calls wait, what lies below a directory would wait for all names before it.
  if (directories_first_)
    std::stable_partition(names_.begin(), names_.end(), [](const Dirent& name) { return name.type == DT_DIR; });
}

// The ring is asked for just those names that take_name() will ask for, in its order.
void Worker::take_by_ring(Visit& visit, int fd, std::span<const Dirent> names) {
  asked_.clear();
  for (const Dirent& found : names)
    if (!leaves_out(found)) asked_.push_back(found.name.data());
  StatxUring* const by = ring();
  if (by) by->begin(fd, asked_, flags_for(plan_.options.traversal.follow_links), plan_.statx_mask);
  ahead_ = by;
  try {
    take_names(visit, fd, names);
  } catch (const std::bad_alloc&) {
    ahead_ = nullptr;
    if (by) by->end();
    throw;
  }
  ahead_ = nullptr;
  if (by) guarded(Operation::statx, [&] { return by->end(), 0; });
}

// Half of the names each way; all of them are names that have to be asked anyway.
void Worker::try_both(Visit& visit, int fd, std::span<const Dirent> names) {
  const std::size_t half = names.size() / 2;
  const std::uint64_t start = walk_.calls.monotonic_ns();
  take_names(visit, fd, names.first(half));
  const std::uint64_t middle = walk_.calls.monotonic_ns();
  take_by_ring(visit, fd, names.subspan(half));
  const std::uint64_t end = walk_.calls.monotonic_ns();
  BackendChoice& choice = walk_.backends[visit.node->root()];
  if (!ring_ || stopping()) return choice.set(BackendChoice::State::threads);
  const unsigned busy = walk_.frontier.active() - std::min(walk_.frontier.active(), walk_.frontier.sleepers());
  choice.conclude((middle - start) / half, (end - middle) / (names.size() - half), busy);
  if (!choice.uses_ring()) ring_.reset(), walk_.used_ring.store(false, std::memory_order_relaxed);
}

// As take_name() decides before it asks.
bool Worker::leaves_out(const Dirent& found) {
  const char type = letter_of_dirent(found.type);
  const bool follow = plan_.options.traversal.follow_links && type == 'l';
  return walk_.filter.leaves_out(found.name, path_below_root(found.name), follow ? EntryKind::unknown : kind_of(type));
}

// Somebody is idle, or was a moment ago and helps now.
bool Worker::may_split(std::size_t names) const {
  if (tuning_.split_names == 0 || plan_.statx_mask == 0 || names < std::size_t{2} * tuning_.split_names) return false;
  return walk_.frontier.sleepers() > 0 || (split_ && walk_.split.is_helped(*split_));
}

// Where calls wait, it is a long way through a block: somebody may be idle later who is not yet.
void Worker::take_or_deal_out(Visit& visit, int fd, std::span<const Dirent> names) {
  while (!names.empty() && !stopping()) {
    if (may_split(names.size())) {
      if (!split_) split_.emplace(visit.node, fd);
      return deal_out(visit, *split_, names);
    }
    const std::size_t step = tuning_.split_names != 0 ? std::min<std::size_t>(tuning_.split_names, names.size()) : names.size();
    take_names(visit, fd, names.first(step));
    names = names.subspan(step);
  }
}

// Names of the reader's block, which goes on without them.
std::shared_ptr<const SharedBlock> Worker::share(std::span<const Dirent> names) const {
  auto shared = std::make_shared<SharedBlock>();
  const std::span<const std::byte> block = reader_->block();
  shared->bytes.assign(block.begin(), block.end());
  const char* const from = reinterpret_cast<const char*>(block.data());
  const char* const to = reinterpret_cast<const char*>(shared->bytes.data());
  for (const Dirent& found : names)
    shared->names.push_back({{to + (found.name.data() - from), found.name.size()}, found.type});
  return shared;
}

// Some parts are left for the others while we read on.
void Worker::deal_out(Visit& visit, SplitDirectory& split, std::span<const Dirent> names) {
  const auto block = share(names);
  const std::size_t step = tuning_.split_names;
  std::vector<NamePart> parts;
  for (std::size_t begin = 0; begin < block->names.size(); begin += step)
    parts.push_back({block, begin, std::min(begin + step, block->names.size())});
  walk_.split.post(split, std::move(parts));
  while (!stopping()) {
    const auto part = walk_.split.take_own(split, kPartsLeft);
    if (!part) return;
    take_part(visit, split.fd, *part);
  }
}

void Worker::take_part(Visit& visit, int fd, const NamePart& part) {
  take_names(visit, fd, std::span(part.block->names).subspan(part.begin, part.end - part.begin));
}

// Beside the loop in take_block() the one place with the code of a name.
void Worker::take_names(Visit& visit, int fd, std::span<const Dirent> names) {
  for (std::size_t at = 0; at < names.size() && !stopping(); ++at) take_name(visit, fd, names[at]);
}

// An idle worker does some names of somebody else's directory: rows into its own
// batches, sums into the owner's record.
void Worker::help(const SplitDirectories::Help& job) {
  SplitDirectory& split = *job.directory;
  Visit visit(split.node);
  visit_ = &visit;
  helping_ = &split;
  visit.was_revived = true;  // to renew the descriptor is up to the owner
  try {
    path_ = cursor_.move_to(visit.node, plan_.roots[visit.node->root()].path);
    writer_.enter(path_, visit.node->identity().inode);
    tune(*visit.node, split.fd);
    take_part(visit, split.fd, job.part);
  } catch (const std::bad_alloc&) {
    run_out_of_memory();
  }
  tally_of(visit).show();
  writer_.flush_if_old();
  visit.node.reset();
  helping_ = nullptr;
  walk_.split.done(split, result_of(visit));
}

PartResult Worker::result_of(const Visit& visit) {
  return {visit.record.entries, visit.record.bytes, int(visit.record.error), visit.record.operation};
}

// Nobody else uses the descriptor afterwards.
void Worker::close_split(Visit& visit) {
  if (!split_) return;
  while (!stopping()) {
    const auto part = walk_.split.take_own(*split_, 0);
    if (!part) break;
    take_part(visit, split_->fd, *part);
  }
  const PartResult others = walk_.split.close(*split_);
  split_.reset();
  visit.record.entries += others.entries;
  visit.record.bytes = saturated_sum(visit.record.bytes, others.bytes);
  if (others.error != 0) visit.fail(others.error, others.operation);
  // Names that were dealt out and then dropped were not read, though the listing may have come to its end.
  if (others.error == ETIMEDOUT || stopping()) visit.record.flags &= std::uint8_t(~schema::kComplete);
}

int Worker::read_block(Visit& visit, int fd) {
  const auto fill = [&] {
    if (visit.lost_position && visit.position.started)
      if (const int moved = walk_.calls.seek(fd, visit.position.next); moved < 0) return moved;
    visit.lost_position = false;
    const std::size_t limit = walk_.frontier.is_far_above_share(number_) ? kSmallBlock : 0;
    return stats_.getdents.time([&] { return walk_.calls.service_ns(); },
                                [&] {
                                  DirReader& reader = *reader_;  // its own, even if this thread is given up
                                  return guarded(Operation::getdents, [&] { return reader.fill(fd, visit.position, limit); });
                                });
  };
  const int got = walk_.directories.with_patience(number_, fill);  // readdir's stream is a descriptor more
  return got == -ESTALE && revive(visit, fd) ? fill() : got;
}

void Worker::put_aside(Visit& visit) {
  if (aside_.size() == aside_.capacity()) aside_.reserve(2 * aside_.size() + 8);  // now, while it may fail
  walk_.directories.put_aside(*visit.node, number_);
  visit.holds = Visit::Holds::user;
  aside_.push_back(std::move(visit));
}

void Worker::end(Visit& visit) {
  try {
    if (visit.is_reported) report(visit);
  } catch (const std::bad_alloc&) {
    run_out_of_memory();
  }
  OpenDirectories& directories = walk_.directories;
  if (visit.holds == Visit::Holds::pin) directories.leave(*visit.node, number_);
  if (visit.holds == Visit::Holds::user) directories.drop_user(*visit.node);
  if (visit.holds == Visit::Holds::parent && visit.node->parent()) directories.drop_user(*visit.node->parent());
  if (walk_.control && !visit.is_reported) walk_.control->give_back();
  if (stopping()) walk_.cut_short[visit.node->root()].store(true, std::memory_order_relaxed);
  tally_of(visit).show();
  tally_of(visit).finish_directory();
  walk_.frontier.finish(number_);
}

void Worker::report(Visit& visit) {
  stats_.note_failure(int(visit.record.error));
  if (visit.position.refused != 0) {
    visit.record.flags &= std::uint8_t(~schema::kComplete);
    visit.fail(EBADMSG, Operation::getdents);
  }
  ScanCounts& counts = tally_of(visit).mine;
  counts.errors += visit.record.error != 0;
  counts.vanished += (visit.record.flags & schema::kDirectoryVanished) != 0;
  path_ = cursor_.move_to(visit.node, plan_.roots[visit.node->root()].path);
  writer_.enter(path_, visit.node->identity().inode);
  if (!writer_.close(visit.record) || writer_.is_stopped()) stop();
}

[[gnu::always_inline]] inline void Worker::take_name(Visit& visit, int fd, const Dirent& found) {
  Entry entry = blank_entry(found.name, visit.node->depth() + 1);
  entry.type = letter_of_dirent(found.type);
  const bool follow = plan_.options.traversal.follow_links && entry.type == 'l';
  const EntryKind claimed = follow ? EntryKind::unknown : kind_of(entry.type);
  const std::string_view path = path_below_root(found.name);
  if (walk_.filter.leaves_out(found.name, path, claimed)) {
    ++tally_of(visit).mine.skipped;
    return;
  }
  // Before its attributes are asked, since that it was followed shows in a link's access time.
  const bool listed_as_link = entry.type == 'l';
  if (walk_.resolves_links && listed_as_link) tell_where_it_leads(fd, found, entry);
  const Identity identity = ask(visit, fd, found, entry);
  if (walk_.resolves_links && !listed_as_link && entry.type == 'l') tell_where_it_leads(fd, found, entry);
  if (const EntryKind kind = kind_of(entry.type); kind != claimed && walk_.filter.leaves_out(found.name, path, kind)) {
    ++tally_of(visit).mine.skipped;
    return;
  }
  if (opt_in_->wants_any() && entry.error == 0) read_opt_ins(fd, found.name.data(), entry);
  const bool enter = may_enter(visit, found, identity, entry);
  if (emit(visit, entry) && enter) queue(visit, found, identity, changed_of(entry));
  look_at_age(tuning_.profile != Profile::local);
}

[[gnu::always_inline]] inline void Worker::look_at_age(bool at_each_name) {
  if (++names_since_look_ < kNamesPerLook && !at_each_name) return;
  names_since_look_ = 0;
  writer_.flush_if_old();
}

// A copy: what GCC makes of clearing so many bytes, `rep stos`, takes longer than the other work on a name.
[[gnu::always_inline]] inline Entry Worker::blank_entry(std::string_view name, std::uint32_t depth) const {
  Entry entry = blank_;
  entry.name = name;
  entry.depth = depth;
  return entry;
}

void Worker::read_opt_ins(int directory, const char* name, Entry& entry) {
  OptInReader& reader = *opt_in_;  // its own, even if this thread is given up
  guarded(Operation::statx, [&] { return reader.read(directory, name, entry), 0; });
}

std::string_view Worker::path_below_root(std::string_view name) {
  if (!walk_.filter.needs_path()) return {};
  const std::string_view directory = cursor_.below_root();
  scratch_.assign(directory);
  if (!directory.empty()) scratch_ += '/';
  return scratch_.append(name);
}

[[gnu::always_inline]] inline unsigned Worker::mask_for(const Dirent& found) const {
  if (plan_.statx_mask != 0) return plan_.statx_mask;
  const bool is_link = found.type == DT_LNK && plan_.options.traversal.follow_links;
  const bool needs_asking = is_link || letter_of_dirent(found.type) == '?';
  return needs_asking ? STATX_TYPE | STATX_INO | STATX_MNT_ID : 0;
}

// Attributes of a name, into its entry; what kind of object it is, for walking on.
[[gnu::always_inline]] inline Identity Worker::ask(Visit& visit, int fd, const Dirent& found, Entry& entry) {
  const unsigned mask = mask_for(found);
  if (mask == 0) return {};
  const char* const name = found.name.data();
  const bool follow = plan_.options.traversal.follow_links;
  struct ::statx answer;
  int result = ask_first(fd, name, flags_for(follow), mask, answer);
  if (result == -ESTALE && revive(visit, fd)) result = ask_once(fd, name, flags_for(follow), mask, answer);
  if (follow && result == -ENOENT)  // a broken link: itself
    result = ask_once(fd, name, flags_for(false), mask, answer);
  if (result < 0) {
    if (is_gone(result))
      entry.flags |= schema::kVanished;
    else
      entry.error = std::uint32_t(-result), entry.operation = Operation::statx;
    stats_.note_failure(-result);
    return {};
  }
  describe(answer, plan_.statx_mask != 0 ? plan_.columns : bare_columns_, entry);
  if (walk_.attributes.is_lazy(tuning_.coherence)) entry.flags |= schema::kLazy;
  Identity identity = identity_of(answer);
  // Opening it will mount something: what it is then is another question.
  if (answer.stx_attributes & STATX_ATTR_AUTOMOUNT) identity.known = false;
  return identity;
}

[[gnu::always_inline]] inline int Worker::ask_once(int fd, const char* name, int flags, unsigned mask, struct ::statx& answer) {
  return stats_.statx.time([&] { return walk_.calls.service_ns(); },
                           [&]() __attribute__((always_inline)) {
                             return guarded(Operation::statx, [&]() __attribute__((always_inline)) {
                               return walk_.attributes.read(fd, name, flags, mask, answer);
                             });
                           });
}

// What a ring was stopped or too full to ask is asked the plain way, and what it asked of a descriptor that
// went stale: by now there may be a new one.
[[gnu::always_inline]] inline int Worker::ask_first(int fd, const char* name, int flags, unsigned mask, struct ::statx& answer) {
  if (ahead_) [[unlikely]] {
    const int result = stats_.statx.time([&] { return walk_.calls.service_ns(); }, [&] {
      auto& ring = *ahead_;  // its own, even if this thread is given up
      return guarded(Operation::statx, [&] { return ring.take(answer); });
    });
    if (result != -ECANCELED && result != -EAGAIN && result != -ESTALE) return result;
  }
  return ask_once(fd, name, flags, mask, answer);
}

[[gnu::always_inline]] inline int Worker::flags_for(bool follow) const {
  return statx_flags(follow, tuning_.coherence);
}

// Also sets the flags that tell why not.
[[gnu::always_inline]] inline bool Worker::may_enter(const Visit& visit, const Dirent& found, const Identity& identity, Entry& entry) const {
  const TraversalOptions& asked = plan_.options.traversal;
  const DirectoryNode& here = *visit.node;
  const bool elsewhere = is_elsewhere(identity, here.identity());
  if (elsewhere) entry.flags |= schema::kOtherMount;
  if (entry.type != 'd' || entry.error != 0 || (entry.flags & schema::kVanished)) return false;
  // Only a link or a mount can lead back up.
  const bool may_lead_up = elsewhere || (asked.follow_links && found.type != DT_DIR);
  if (may_lead_up && here.is_or_lies_in(identity)) {
    entry.flags |= schema::kLoop;
    return false;
  }
  if (asked.max_depth && entry.depth >= *asked.max_depth) return false;
  return !asked.one_file_system || !identity.known || identity.device == here.identity().device;
}

// os.walk counts such a link among the directories. Who follows a walk would have to ask once per link, one after
// the other, and an image could not ask at all.
void Worker::tell_where_it_leads(int fd, const Dirent& found, Entry& entry) {
  struct ::stat target {};
  const long result = guarded(Operation::statx, [&] { return walk_.calls.fstatat(fd, found.name.data(), 0, target); });
  if (result == 0 && S_ISDIR(target.st_mode)) entry.flags |= schema::kToDirectory;
}

void Worker::queue(Visit& visit, const Dirent& found, const Identity& identity, const ChangeTimes& changed) {
  if (!writer_.can_carry(path_.size() + 1 + found.name.size(), kNameRoom)) return refuse_long_path(visit, found.name);
  const DirectoryNode::Origin origin{visit.node->root(), identity,
                                     plan_.options.traversal.follow_links && found.type != DT_DIR, changed};
  NodePtr child = DirectoryNode::make(visit.node, found.name, origin);
  visit.node->add_user();
  tally_of(visit).push_directory();
  walk_.frontier.push(number_, std::move(child), queue_);
}

// No batch could carry the entries of a directory with such a path. It is not
// entered, and its record says so.
void Worker::refuse_long_path(Visit& visit, std::string_view name) {
  schema::DirectoryRecord record;
  record.error = ENAMETOOLONG;
  record.operation = Operation::path;
  const std::string path = std::string(path_).append("/").append(name);
  writer_.enter(path, 0);
  const bool told = writer_.close(record);
  writer_.enter(path_, visit.node->identity().inode);
  if (told)
    ++tally_of(visit).mine.errors;
  else
    visit.fail(ENAMETOOLONG, Operation::path);
}

[[gnu::always_inline]] inline bool Worker::emit(Visit& visit, const Entry& entry) {
  if (!writer_.append(entry)) {
    visit.fail(ENAMETOOLONG, Operation::path);
    return false;
  }
  if (writer_.is_stopped()) stop();
  ++visit.record.entries;
  if (entry.known.has(Column::size)) visit.record.bytes = saturated_sum(visit.record.bytes, entry.size);
  account(tally_of(visit), entry);
  return true;
}

[[gnu::always_inline]] inline void Worker::account(RootTally& tally, const Entry& entry) {
  ScanCounts& counts = tally.mine;
  ++counts.entries;
  switch (entry.type) {
    case 'f':
      ++counts.files;
      if (entry.known.has(Column::size)) counts.bytes = saturated_sum(counts.bytes, entry.size);
      break;
    case 'd': ++counts.directories; break;
    case 'l': ++counts.symlinks; break;
    default: ++counts.others;
  }
  counts.errors += entry.error != 0;
  counts.vanished += (entry.flags & schema::kVanished) != 0;
}

// The root's own row. False: there is nothing to enter.
bool Worker::visit_root(Visit& visit) {
  const PlannedRoot& root = plan_.roots[visit.node->root()];
  const std::size_t slash = root.path.rfind('/');
  Entry entry = blank_entry(root.path == "/" ? "" : std::string_view(root.path).substr(slash + 1), 0);
  struct ::statx answer {};
  const int result = ask_root(root, answer);
  if (result < 0) {
    entry.error = std::uint32_t(-result);
    entry.operation = Operation::statx;
    walk_.cut_short[visit.node->root()].store(true, std::memory_order_relaxed);
  } else {
    describe(answer, plan_.statx_mask != 0 ? plan_.columns : bare_columns_, entry);
    if (walk_.attributes.is_lazy(root.coherence)) entry.flags |= schema::kLazy;
    visit.node->settle(identity_of(answer));
    visit.node->settle(changed_of(entry));
    opt_in_->enter(root.profile, std::nullopt);
    if (opt_in_->wants_any()) read_opt_ins(AT_FDCWD, root.given.c_str(), entry);
  }
  writer_.enter(std::string_view(root.path).substr(0, slash), 0);
  if (!emit(visit, entry)) ++tally_of(visit).mine.errors;
  is_root_told_ = true;
  visit.record = {};  // the row belongs to the directory above
  return entry.type == 'd' && plan_.options.traversal.max_depth != 0u;
}

// A link given as a root is followed (find -H), unless it leads nowhere.
int Worker::ask_root(const PlannedRoot& root, struct ::statx& answer) {
  if (root.error != 0) return -root.error;
  const unsigned mask = plan_.statx_mask != 0 ? plan_.statx_mask : STATX_TYPE | STATX_INO | STATX_MNT_ID;
  const auto ask = [&](bool follow) {
    return guarded(Operation::statx, [&] {
      return walk_.attributes.read(AT_FDCWD, root.given.c_str(), statx_flags(follow, root.coherence), mask, answer);
    });
  };
  const int result = ask(true);
  return result == -ENOENT ? ask(false) : result;
}

}  // namespace pwalk
