#include "consumer_session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "control_socket.h"
#include "futex.h"
#include "messages.h"
#include "pwalk/ipc/scan_directory.h"
#include "pwalk/schema/row_hash.h"

namespace pwalk::ipc {
namespace {

/// Cheaper than a sleep and a wake (17 to 21 µs) if the next batch is about to come.
constexpr std::chrono::microseconds kSpin{30};
/// The first part of it.
constexpr std::chrono::microseconds kSpinAlone{2};
/// Longest sleep without asking whether the scanner lives and the caller was interrupted.
constexpr std::chrono::milliseconds kSlice{50};
/// The scanner rings no bell when it has drained the return ring.
constexpr std::chrono::microseconds kDrainSlice{200};

/// A wait that may be longer is as long, and does not overflow the clock.
constexpr std::chrono::hours kForEver{24 * 365};

void pause_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

/// A copy aligned as a batch must be.
std::shared_ptr<std::byte> copy_to_heap(std::span<const std::byte> bytes) {
  std::shared_ptr<std::byte> copy(
      static_cast<std::byte*>(std::aligned_alloc(kCacheLine, align_up(bytes.size(), kCacheLine))), std::free);
  if (copy) std::memcpy(copy.get(), bytes.data(), bytes.size());
  return copy;
}

}  // namespace

BatchLease::Held::~Held() {
  if (session) session->give_back(*this);
}

ConsumerSession::ConsumerSession(ScannerLink link, const AttachOptions& options)
    : link_(std::move(link)),
      options_(options),
      reader_(link_.control, link_.own),
      desk_(link_.own, link_.control.geometry().pool_bytes, link_.grant_blocks) {
  stats_.missed_rows = link_.missed_rows;
  if (link_.ledger) group_.emplace(link_.control, *link_.ledger, link_.member);
}

ConsumerSession::~ConsumerSession() {
  if (!sentinel_.in_child()) return;
  link_.own.abandon();
  if (link_.ledger) link_.ledger->abandon();
}

// ---- reading ----------------------------------------------------------------

Result<std::optional<BatchLease>> ConsumerSession::next(std::chrono::milliseconds timeout) {
  if (sentinel_.in_child()) return fail(ESTALE, "a forked child cannot use its parent's consumer");
  if (failure_) return tl::unexpected(*failure_);
  if (detached_) return fail(ENOTCONN, "the consumer has detached");
  // A batch that is there already is handed out without a look at the clock.
  std::optional<Clock::time_point> deadline;
  while (!over()) {
    StreamReader::Taken taken;
    ClaimTicket ticket;
    const Taking outcome = may_take() ? take(taken, ticket) : Taking::empty;
    if (outcome == Taking::revoked) {
      failure_ = Error{ECANCELED, fmt::format("evicted: the scan '{}' went on without this consumer, which was too slow", link_.name)};
      return tl::unexpected(*failure_);
    }
    if (outcome == Taking::taken && !ours(taken)) {
      if (auto passed = pass_over(taken); !passed) return tl::unexpected(passed.error());
      continue;
    }
    if (outcome == Taking::taken) {
      if (group_) forget_jam();
      auto lease = lend(taken, ticket);
      if (!lease) return tl::unexpected(lease.error());
      return std::optional(*std::move(lease));
    }
    if (!deadline) deadline = Clock::now() + std::min<std::chrono::milliseconds>(timeout, kForEver);
    const auto more = wait(*deadline);
    if (!more) return tl::unexpected(more.error());
    if (!*more) break;
  }
  return std::nullopt;
}

Taking ConsumerSession::take(StreamReader::Taken& taken, ClaimTicket& ticket) {
  return group_ ? group_->take(taken, ticket) : reader_.take(taken);
}

bool ConsumerSession::ours(const StreamReader::Taken& taken) const {
  return (taken.lane + taken.expected_sequence) % options_.world == options_.rank;
}

/// Another rank's: given back unread.
Result<void> ConsumerSession::pass_over(const StreamReader::Taken& taken) {
  if (auto good = check(taken); !good) return good;
  desk_.taken();
  count_stated(taken.descriptor);
  return_to_scanner({std::uint32_t(taken.descriptor.offset / kUnitBytes), std::uint32_t(taken.descriptor.sequence)});
  return {};
}

Result<BatchLease> ConsumerSession::lend(const StreamReader::Taken& taken, const ClaimTicket& ticket) {
  const BatchDescriptor& descriptor = taken.descriptor;
  if (auto good = check(taken); !good) return tl::unexpected(good.error());
  desk_.taken();
  auto held = std::make_shared<BatchLease::Held>();
  held->lane = taken.lane;
  held->sequence = descriptor.sequence;
  held->unit = std::uint32_t(descriptor.offset / kUnitBytes);
  held->length = descriptor.length;
  held->claim = ticket.word;
  held->redelivered = group_ && ticket.redelivered();
  stats_.redelivered += held->redelivered;
  const auto bytes = pin_or_copy(*held);
  if (!bytes) return tl::unexpected(bytes.error());
  if (const auto good = schema::EntryBatchView::check_into(*bytes, held->view); !good)
    return broken(fmt::format("lane {} batch {}: {}", taken.lane, descriptor.sequence, good.error().what));
  if (auto counted = count(descriptor, held->view); !counted) return tl::unexpected(counted.error());
  if (options_.columns) held->view = held->view.limited_to(*options_.columns);
  BatchLease lease;
  lease.held_ = std::move(held);
  return lease;
}

/// The batch's bytes: in the pool, to be given back when `held` goes; or beyond
/// the grant a copy, and the batch is given back already. Not in a group: given back
/// means done there, and who has a copy is not. A stranger's scanner
/// could write on after the check, so that of its batches a copy is checked.
Result<std::span<const std::byte>> ConsumerSession::pin_or_copy(BatchLease::Held& held) {
  const std::uint64_t offset = std::uint64_t(held.unit) * kUnitBytes;
  const std::span<const std::byte> bytes{link_.pool.data() + offset, held.length};
  held.pinned = desk_.pin(offset, held.length);
  if (held.pinned || group_) held.session = shared_from_this();
  if (held.pinned && !link_.stranger) return bytes;
  held.copy = copy_to_heap(bytes);
  if (!held.session) return_to_scanner(held);
  if (!held.copy) return broken("no memory for a copy of a batch");
  return std::span{held.copy.get(), bytes.size()};
}

Result<void> ConsumerSession::check(const StreamReader::Taken& taken) const {
  const BatchDescriptor& descriptor = taken.descriptor;
  const std::uint64_t pool = link_.pool.size();
  const bool inside = descriptor.offset % kUnitBytes == 0 && descriptor.length > 0 &&
                      descriptor.offset < pool && descriptor.length <= pool - descriptor.offset;
  if (inside && descriptor.sequence == taken.expected_sequence && descriptor.flags == 0) return {};
  return fail(
      EPROTO,
      fmt::format("lane {} has an impossible descriptor: batch {} instead of {}, {} bytes at {}", taken.lane,
                  descriptor.sequence, taken.expected_sequence, descriptor.length, descriptor.offset));
}

Result<void> ConsumerSession::count(const BatchDescriptor& descriptor, const schema::EntryBatchView& view) {
  if (view.rows() != descriptor.rows || view.record_count() != descriptor.records ||
      view.content_hash() != descriptor.content_hash)
    return broken(fmt::format("batch {} does not hold what its descriptor says", descriptor.sequence));
  ++stats_.batches;
  stats_.rows += view.rows();
  stats_.directories += view.record_count();
  stats_.errors += schema::count_errors(view);
  stats_.content_hash += options_.verify_rows ? schema::hash_rows(view) : descriptor.content_hash;
  stats_.file_bytes =
      saturating_add(stats_.file_bytes, options_.verify_rows ? view.file_bytes() : descriptor.file_bytes);
  count_stated(descriptor);
  return {};
}

void ConsumerSession::count_stated(const BatchDescriptor& descriptor) {
  ++stated_.batches;
  stated_.rows += descriptor.rows;
  stated_.records += descriptor.records;
  stated_.file_bytes = saturating_add(stated_.file_bytes, descriptor.file_bytes);
  stated_.content_hash += descriptor.content_hash;
}

tl::unexpected<Error> ConsumerSession::broken(std::string what) {
  failure_ = Error{EPROTO, fmt::format("scan '{}': {}", link_.name, what)};
  return tl::unexpected(*failure_);
}

// ---- the end ----------------------------------------------------------------

/// Looks at the state before the lanes: once it is not running, the heads are final.
Result<void> ConsumerSession::conclude_if_over() {
  scanner_died_ = scanner_died_ || link_.scanner.dead();
  const StreamState state = reader_.state();
  if (group_) return conclude_if_group_is_over(state);
  if (reader_.ready()) return {};
  if (state == StreamState::complete) return conclude(StreamEnd::complete);
  if (state == StreamState::cut_short) return conclude(StreamEnd::cut_short);
  return scanner_died_ ? conclude(StreamEnd::scanner_died) : Result<void>();
}

/// A member waits for what others have, since they may die; only the scanner could
/// give it to anybody else, and knows who need not wait.
Result<void> ConsumerSession::conclude_if_group_is_over(StreamState state) {
  // Acquire, pairs with the release in Distributor::tell.
  const auto notice = MemberNotice(Atomics::exchange_acq_rel(link_.own.header().notice, std::uint32_t(MemberNotice::none)));
  if (notice == MemberNotice::jammed)
    return fail(EDEADLK, fmt::format("the pool of the scan '{}' is full of batches that members of its groups keep while "
                                     "they ask for more, this one most of them: drop some first, or give the scan a larger --ring-size",
                                     link_.name));
  if (group_->state() == GroupState::over || notice == MemberNotice::end)
    return conclude(state == StreamState::complete ? StreamEnd::complete : StreamEnd::cut_short);
  return scanner_died_ && !group_->ready() ? conclude(StreamEnd::scanner_died) : Result<void>();
}

Result<void> ConsumerSession::conclude(StreamEnd end) {
  if (end == StreamEnd::scanner_died) {
    // Nobody else may come to clean up. If it cannot be done, the next pwalk command tries.
    static_cast<void>(remove_scan(link_.runtime_directory, link_.name));
  } else {
    kick();  // the scanner may be waiting for us to have everything
    if (auto good = check_end_figures(); !good) return broken(good.error().what);
  }
  end_ = end;
  return {};
}

Result<void> ConsumerSession::check_end_figures() const {
  if (group_ || !reader_.started_at_first()) return {};
  const EndFigures said = reader_.end_figures();
  if (said != stated_)
    return fail(EPROTO, fmt::format("the end says {} batches and {} rows, {} and {} were read", said.batches,
                                    said.rows, stated_.batches, stated_.rows));
  if (options_.world == 1 && stats_.content_hash != said.content_hash)
    return fail(EPROTO, "the rows that were read do not have the hash that the end says");
  return {};
}

// ---- waiting ----------------------------------------------------------------

/// Until there may be something to take. False: the deadline has passed, or the stream is over.
Result<bool> ConsumerSession::wait(Clock::time_point deadline) {
  const auto since = Clock::now();
  if (may_take() && since < deadline && spin()) return true;  // who only asks is answered at once
  auto more = may_take() ? sleep(deadline) : await_return_room(deadline);
  stats_.waited_ns += std::uint64_t((Clock::now() - since).count());
  return more;
}

/// How long it may wait before it looks again. 0: the deadline has passed, or the stream is over.
Result<std::chrono::nanoseconds> ConsumerSession::next_slice(Clock::time_point deadline) {
  if (auto concluded = conclude_if_over(); !concluded) return tl::unexpected(concluded.error());
  if (over()) return std::chrono::nanoseconds::zero();
  if (options_.interrupted && options_.interrupted())
    return fail(EINTR, "interrupted while waiting for a batch");
  return std::clamp<std::chrono::nanoseconds>(deadline - Clock::now(), std::chrono::nanoseconds::zero(), kSlice);
}

/// A batch is taken only if its return will find room; a dead scanner wants none back.
bool ConsumerSession::may_take() {
  return scanner_died_ || desk_.has_room();
}

/// At first alone, for who comes soon. Then it gives the CPU up in between: to other consumers
/// that were pinned to it as well, for which the publisher may be waiting.
bool ConsumerSession::spin() const {
  const auto since = Clock::now();
  for (auto now = since; now - since < kSpin; now = Clock::now()) {
    if (ready()) return true;
    if (now - since < kSpinAlone)
      for (int i = 0; i < 16; ++i) pause_cpu();
    else
      std::this_thread::yield();
  }
  return ready();
}

/// It says that it sleeps until it has a reason to take something: between two slices it only looks
/// up, and to the scanner still is one who asks for more (Distributor::look_for_jam).
Result<bool> ConsumerSession::sleep(Clock::time_point deadline) {
  for (Sleep<Atomics> announced(link_.own.header().bell, sleeps_); !announced.rung(); announced.look_up()) {
    const auto slice = next_slice(deadline);
    if (!slice) return tl::unexpected(slice.error());
    if (over()) return false;
    if (ready()) return true;
    if (*slice == slice->zero()) return false;
    // A member sleeps on after the stream's end, until its group is over.
    const bool more = group_ ? group_->state() == GroupState::open && !noticed() : reader_.state() == StreamState::running;
    if (!more) return true;
    futex_wait(announced.word(), announced.ticket(), *slice);
  }
  return true;
}

/// Has the scanner told this member something? Looked at again after announce_sleep().
bool ConsumerSession::noticed() const {
  return Atomics::load_acquire(link_.own.header().notice) != std::uint32_t(MemberNotice::none);
}

/// Something came after all.
void ConsumerSession::forget_jam() {
  auto jammed = std::uint32_t(MemberNotice::jammed);
  Atomics::compare_exchange_acq_rel(link_.own.header().notice, jammed, std::uint32_t(MemberNotice::none));
}

Result<bool> ConsumerSession::await_return_room(Clock::time_point deadline) {
  const auto slice = next_slice(deadline);
  if (!slice) return tl::unexpected(slice.error());
  if (*slice == slice->zero()) return false;
  kick();
  std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(*slice, kDrainSlice));
  return true;
}

void ConsumerSession::kick() const {
  const std::uint64_t one = 1;
  static_cast<void>(::write(link_.kick.get(), &one, sizeof one));
}

// ---- giving back ------------------------------------------------------------

void ConsumerSession::give_back(const BatchLease::Held& held) {
  if (!sentinel_.in_child()) return_to_scanner(held);
}

void ConsumerSession::return_to_scanner(const BatchLease::Held& held) {
  // Too late, another member has it by now; the scanner still hears that we read it no more.
  if (group_) static_cast<void>(group_->conclude(held.lane, {held.sequence, held.claim}));
  const Return returned{held.unit, std::uint32_t(held.sequence)};
  if (!held.pinned) return return_to_scanner(returned);
  desk_.give_back_pinned(returned, held.length);
  kick_if_starved();
}

void ConsumerSession::return_to_scanner(Return returned) {
  desk_.give_back(returned);
  kick_if_starved();
}

void ConsumerSession::kick_if_starved() const {
  if (must_kick<Atomics>(link_.control.header().starved)) kick();
}

void ConsumerSession::detach() {
  if (detached_ || sentinel_.in_child()) return;
  detached_ = true;
  reader_.revoke_all();
  // A message, since a forked child may keep the socket open. If it cannot be
  // sent, closing does.
  static_cast<void>(send_message(link_.socket.get(), make_message<Detach>()));
  link_.socket.reset();
}

}  // namespace pwalk::ipc
