#include "ipc/returns_fuzz.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "distributor.h"
#include "group_reader.h"
#include "ipc/fuzz_input.h"
#include "stream_reader.h"

namespace pwalk::ipc::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kBlocks = 12;
constexpr ScanGeometry kGeometry{.lanes = 2, .slots = 64, .return_slots = 16, .pool_bytes = kBlocks * kBlockBytes, .scan_id = {}};
/// Above half a block, so that each batch has a block of its own.
constexpr std::size_t kBatchBytes = (kUnitsPerBlock / 2 + 1) * kUnitBytes;
/// Whoever holds them, the lanes' open blocks and one more are free.
constexpr std::uint64_t kMostHeld = kBlocks - kGeometry.lanes - 2;
constexpr std::size_t kMostConsumers = 4;

/// Nothing of it need be cleared: it is written before it is read.
std::span<std::byte> pool() {
  static std::vector<std::byte> bytes(kGeometry.pool_bytes);
  return bytes;
}

/// One consumer's process, as far as the scanner can tell.
class Peer {
 public:
  Peer(const ControlMemory& control, std::shared_ptr<Seat> seat)
      : seat_(std::move(seat)), reader_(control, seat_->memory), returns_(seat_->memory.return_writer()) {
    if (seat_->group) member_.emplace(control, seat_->group->memory, seat_->member);
  }
  Seat& seat() { return *seat_; }
  const std::shared_ptr<Seat>& shared_seat() { return seat_; }
  bool honest() const { return honest_; }
  void lie() { honest_ = false; }

  /// What an honest one sees; nullopt: nothing is there, or it was shown out.
  std::optional<BatchDescriptor> take() {
    StreamReader::Taken taken;
    ClaimTicket ticket;
    const Taking outcome = member_ ? member_->take(taken, ticket) : reader_.take(taken);
    if (outcome != Taking::taken) return std::nullopt;
    if (member_) member_->conclude(taken.lane, ticket);
    return taken.descriptor;
  }
  void give_back(const BatchDescriptor& batch) { push({std::uint32_t(batch.offset / kUnitBytes), std::uint32_t(batch.sequence)}); }
  void push(Return returned) { returns_.push(returned); }
  bool all_drained() const { return returns_.pushed() == seat_->memory.header().drained.load(std::memory_order_acquire); }
  const StreamReader& reader() const { return reader_; }

 private:
  std::shared_ptr<Seat> seat_;
  StreamReader reader_;
  std::optional<GroupReader> member_;
  ReturnWriter<Atomics> returns_;
  bool honest_ = true;
};

class Stage {
 public:
  explicit Stage(FuzzInput input)
      : input_(input), control_(*ControlMemory::create(kGeometry)), distributor_(pool(), control_, kGeometry.pool_bytes) {
    distributor_.reuse_without_consumers(true);
    distributor_.govern_groups({.lease = 0ns, .attempts = 1 + input_.below(3)}, 0ns);
    witness_ = std::make_unique<Peer>(control_, distributor_.attach({})->seat);
  }

  ReturnsOutcome run() {
    while (!input_.empty()) step();
    everybody_dies();
    if (groups_ == 0 && !finished_) take_the_pool_twice();
    finish();
    witness_sees_the_end();
    return outcome_;
  }

 private:
  void step() {
    const std::uint8_t choice = input_.byte();
    switch (choice % 16) {
      case 0: case 1: case 2: return publish();
      case 3: return attach(choice / 16 % 4 == 0);
      case 4: return look(choice / 16);
      case 5: if (choice >= 240) finish(); return;
      default: break;
    }
    if (peers_.empty()) return;
    const std::size_t which = choice / 16 % peers_.size();
    Peer& peer = *peers_[which];
    switch (choice % 16) {
      case 6: case 7: return take_and_return(peer);
      case 8: return scribble(peer);
      case 9: return return_falsely(peer);
      case 10: return scribble_ledger(peer);
      case 11: case 12: return drain(peer);
      case 13: return distributor_.detach(peer.seat());
      case 14: static_cast<void>(distributor_.settled(peer.seat())); return;
      default: return die(which);
    }
  }

  /// As long as it is sure to find room, since nobody else could make it.
  void publish() {
    std::uint64_t held = 0;
    for (const ConsumerStatus& consumer : distributor_.consumers()) held += consumer.held_batches;
    if (finished_ || (groups_ > 0 ? outcome_.published : held) >= kMostHeld) return;
    publish_one();
  }

  /// Every byte of a batch is its number; the witness reads them as they come.
  void publish_one() {
    const auto value = std::uint8_t(++outcome_.published);
    static std::vector<std::byte> bytes(kBatchBytes);
    std::memset(bytes.data(), value, bytes.size());
    demand(bool(distributor_.publish(outcome_.published, {.bytes = bytes, .rows = 1, .content_hash = value})));
    const auto batch = witness_->take();
    demand(batch && batch->content_hash == value && batch->length == kBatchBytes);
    const auto seen = pool().subspan(batch->offset, batch->length);
    demand(std::memcmp(seen.data(), bytes.data(), bytes.size()) == 0);
    witness_->give_back(*batch);
    distributor_.drain(witness_->seat());
    demand(!distributor_.dismissed(witness_->seat()));
  }

  void attach(bool to_group) {
    if (peers_.size() == kMostConsumers || (to_group && outcome_.published > kMostHeld)) return;
    const auto start = StartAt(input_.below(3));
    const std::string group = to_group ? input_.flip() ? "a" : "b" : "";
    auto admission = distributor_.attach({.start = start, .group = group});
    if (!admission) return;
    groups_ += to_group;
    peers_.push_back(std::make_unique<Peer>(control_, admission->seat));
  }

  void take_and_return(Peer& peer) {
    if (!peer.all_drained()) return;  // an honest one keeps room in its ring
    if (const auto batch = peer.take()) peer.give_back(*batch), ++outcome_.given_back;
  }

  void scribble(Peer& peer) {
    peer.lie();
    const std::size_t at = input_.two_bytes() % (consumer_bytes(kGeometry.lanes, kGeometry.return_slots) / sizeof(Word64));
    word_at(&peer.seat().memory.header(), at).store(input_.word(), std::memory_order_relaxed);
  }

  void return_falsely(Peer& peer) {
    peer.lie();
    peer.push(input_.flip() ? Return::unpack(input_.word()) : Return{input_.below(kBlocks) * kUnitsPerBlock, input_.byte()});
  }

  /// Whoever is a member of that group is as good as lying.
  void scribble_ledger(Peer& peer) {
    if (!peer.seat().group) return;
    for (const auto& other : peers_)
      if (other->seat().group == peer.seat().group) other->lie();
    const std::size_t at = input_.two_bytes() % (group_bytes(kGeometry.lanes, kGeometry.slots) / sizeof(Word64));
    word_at(&peer.seat().group->memory.header(), at).store(input_.flip() ? ledger_word() : input_.word(), std::memory_order_relaxed);
  }
  std::uint64_t ledger_word() {
    return LedgerEntry{Claim(input_.below(4)), input_.below(4), input_.below(4), input_.byte()}.pack();
  }

  static Word64& word_at(void* memory, std::size_t index) { return static_cast<Word64*>(memory)[index]; }

  void drain(Peer& peer) {
    distributor_.drain(peer.seat());
    const bool shown_out = distributor_.dismissed(peer.seat());
    demand(!shown_out || !peer.honest());
    outcome_.expelled += shown_out;
  }

  void look(unsigned how) {
    switch (how % 4) {
      case 0: return distributor_.look_after_groups();
      case 1: outcome_.evicted += unsigned(distributor_.watch_slow_consumers(0ns).size()); return;
      case 2: static_cast<void>(distributor_.groups()); return;
      default: static_cast<void>(distributor_.attendance());
    }
  }

  void die(std::size_t which) {
    distributor_.forget(peers_[which]->shared_seat());
    peers_.erase(peers_.begin() + std::ptrdiff_t(which));
  }
  void everybody_dies() {
    while (!peers_.empty()) die(0);
    demand(distributor_.consumers().size() == 1);
  }

  void take_the_pool_twice() {
    for (std::uint32_t i = 0; i < 2 * kBlocks; ++i) publish_one();
    demand(distributor_.backpressure() == 0ns);
  }

  void finish() {
    distributor_.finish(true);
    finished_ = true;
  }
  void witness_sees_the_end() {
    demand(!witness_->take() && witness_->reader().state() == StreamState::complete);
    demand(witness_->reader().end_figures().batches == outcome_.published);
    demand(!distributor_.dismissed(witness_->seat()));
  }

  FuzzInput input_;
  ControlMemory control_;
  Distributor distributor_;
  std::unique_ptr<Peer> witness_;
  std::vector<std::unique_ptr<Peer>> peers_;
  unsigned groups_ = 0;
  bool finished_ = false;
  ReturnsOutcome outcome_;
};

}  // namespace

ReturnsOutcome returns_fuzz(std::span<const std::uint8_t> input) { return Stage(FuzzInput(input)).run(); }

}  // namespace pwalk::ipc::testing
