#include "ipc/stream_fuzz.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

#include "consumer_session.h"
#include "ipc/fuzz_input.h"
#include "ipc/scan_fixture.h"
#include "memfd.h"
#include "pwalk/schema/row_hash.h"
#include "schema/batch_check_fuzz.h"

namespace pwalk::ipc::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kPoolBytes = 4 * kBlockBytes;
constexpr ScanGeometry kGeometry{.lanes = 2, .slots = 8, .return_slots = 8, .pool_bytes = kPoolBytes, .scan_id = {1, 2, 3}};
constexpr unsigned kMostHeld = 6;

UniqueFd again(int fd) { return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

/// A pool with sound batches in it, made once; what is changed in it is put back.
class FuzzedPool {
 public:
  FuzzedPool() : fd_(*create_memfd("fuzzed-pool", kPoolBytes)), memory_(*Mapping::map(fd_.get(), kPoolBytes, Access::read_write)) {
    demand(bool(seal(fd_.get(), true)));
    BatchSource source;
    std::uint64_t offset = 0;
    // The last one is a run: it begins in one block and ends in the next.
    for (const auto& [rows, name_bytes] : {std::pair{1u, 3u}, {7u, 12u}, {60u, 40u}, {1100u, 255u}}) {
      const OutgoingBatch batch = source.make(rows, name_bytes);
      if (batch.bytes.size() > kBlockBytes) offset = kBlockBytes;
      std::memcpy(memory_.data() + offset, batch.bytes.data(), batch.bytes.size());
      batches_.push_back({.offset = offset,
                          .length = std::uint32_t(batch.bytes.size()),
                          .rows = batch.rows,
                          .content_hash = batch.content_hash,
                          .file_bytes = batch.file_bytes,
                          .records = batch.records});
      offset += align_up(batch.bytes.size(), kUnitBytes);
    }
  }
  int fd() const { return fd_.get(); }
  /// As it was published; the sequence is the caller's. Seldom the run: to read it takes as long as all others of a round.
  const BatchDescriptor& batch(std::uint32_t which) const { return which % 16 == 15 ? batches_.back() : batches_[which % 3]; }

  void change(std::uint64_t at, std::uint8_t value) {
    changed_.emplace_back(at, memory_.data()[at]);
    memory_.data()[at] = std::byte(value);
  }
  void put_back() {
    for (; !changed_.empty(); changed_.pop_back()) memory_.data()[changed_.back().first] = changed_.back().second;
  }

 private:
  UniqueFd fd_;
  Mapping memory_;
  std::vector<BatchDescriptor> batches_;
  std::vector<std::pair<std::uint64_t, std::byte>> changed_;
};

/// The scanner's side of the memory, and one consumer of it.
class Stage {
 public:
  Stage(FuzzInput input, FuzzedPool& pool)
      : input_(input), pool_(pool), control_(*ControlMemory::create(kGeometry)), own_(*ConsumerMemory::create(kGeometry.lanes, kGeometry.return_slots)) {
    const std::uint8_t kind = input_.byte();
    stranger_ = kind % 2 != 0;
    if (kind / 2 % 3 == 1) ledger_ = *GroupMemory::create(kGeometry);
    if (kind / 2 % 3 == 2) options_.world = 3, options_.rank = kind / 8 % 3;
    options_.verify_rows = kind / 32 % 4 != 0;
    if (kind >= 128) change_header();
  }
  ~Stage() { pool_.put_back(); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  StreamOutcome run() {
    auto link = open();
    if (!link) return outcome_;
    session_ = std::make_shared<ConsumerSession>(*std::move(link), options_);
    while (!input_.empty()) step();
    for (int i = 0; i < 3; ++i) next();
    held_.clear();
    return outcome_;
  }

 private:
  void step() {
    switch (input_.below(16)) {
      case 0: case 1: publish(false); break;
      case 2: publish(true); break;
      case 3: scribble(control_bytes_at(0), control_bytes(kGeometry.lanes, kGeometry.slots)); break;
      case 4: control_head() = input_.word(); break;
      case 5: scribble(reinterpret_cast<std::byte*>(&own_.header()), consumer_bytes(kGeometry.lanes, kGeometry.return_slots)); break;
      case 6: scribble_ledger(); break;
      case 7: change_pool(); break;
      case 8: give_one_back(); break;
      case 9: finish(); break;
      case 10: look_at_figures(); break;
      case 11: if (input_.below(8) == 0) session_->detach(); break;
      default: next();
    }
  }

  /// What a scanner sends, opened as a consumer does it.
  Result<ScannerLink> open() {
    ScannerLink link;
    auto control = ControlMemory::open(again(control_.fd()));
    if (!control) return tl::unexpected(control.error());
    link.control = *std::move(control);
    const ScanGeometry& geometry = link.control.geometry();
    if (auto sealed = expect_sealed(pool_.fd(), geometry.pool_bytes); !sealed) return tl::unexpected(sealed.error());
    auto pool = Mapping::map(pool_.fd(), geometry.pool_bytes, Access::read_only, kHugePage);
    if (!pool) return tl::unexpected(pool.error());
    link.pool = *std::move(pool);
    auto own = ConsumerMemory::open(again(own_.fd()), geometry);
    if (!own) return tl::unexpected(own.error());
    link.own = *std::move(own);
    if (ledger_) {
      auto ledger = GroupMemory::open(again(ledger_->fd()), geometry);
      if (!ledger) return tl::unexpected(ledger.error());
      link.ledger = *std::move(ledger);
      link.member = input_.byte();
    }
    link.name = "fuzzed";
    link.kick = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    link.scanner = *ProcessHandle::self();
    link.grant_blocks = ledger_ && input_.flip() ? ~std::uint32_t{0} : input_.below(4);
    link.stranger = stranger_;
    return link;
  }

  std::byte* control_bytes_at(std::size_t offset) { return reinterpret_cast<std::byte*>(&control_.writable_header()) + offset; }
  Word64& control_head() { return const_cast<Word64&>(control_.head(input_.below(kGeometry.lanes))); }

  /// Of what is looked at once, when the memory is opened.
  void change_header() {
    for (unsigned changes = 1 + input_.below(3); changes > 0; --changes)
      *control_bytes_at(input_.byte() % offsetof(ControlHeader, state)) = std::byte(input_.byte());
  }

  void scribble(std::byte* memory, std::size_t bytes) {
    const std::size_t at = input_.two_bytes() % (bytes / sizeof(Word64));
    reinterpret_cast<Word64*>(memory)[at].store(input_.word(), std::memory_order_relaxed);
  }
  void scribble_ledger() {
    if (ledger_) scribble(reinterpret_cast<std::byte*>(&ledger_->header()), group_bytes(kGeometry.lanes, kGeometry.slots));
  }

  /// As a scanner does it, but for what the input changes in the descriptor.
  void publish(bool falsified) {
    const std::uint32_t lane = input_.below(kGeometry.lanes);
    const std::uint64_t sequence = control_.head(lane).load(std::memory_order_relaxed);
    BatchDescriptor descriptor = pool_.batch(input_.byte());
    descriptor.sequence = sequence;
    total(descriptor);
    if (ledger_) ledger_->lane(lane).open(sequence);
    control_.writer(lane).publish(descriptor);
    if (!falsified) return;
    auto* slot = reinterpret_cast<std::byte*>(const_cast<Slot*>(control_.ring(lane) + sequence % kGeometry.slots));
    for (unsigned changes = 1 + input_.below(3); changes > 0; --changes)
      reinterpret_cast<Word64*>(slot)[input_.below(8)].store(input_.word(), std::memory_order_relaxed);
  }
  void total(const BatchDescriptor& descriptor) {
    ++totals_.batches;
    totals_.rows += descriptor.rows;
    totals_.records += descriptor.records;
    totals_.file_bytes = saturating_add(totals_.file_bytes, descriptor.file_bytes);
    totals_.content_hash += descriptor.content_hash;
  }

  void finish() {
    control_.writable_header().end = totals_;
    control_.writable_header().state.store(input_.below(4), std::memory_order_release);
    if (ledger_) ledger_->header().state.store(input_.below(4), std::memory_order_release);
  }

  /// A scanner of one's own user does not change what it has published, which is why there
  /// it is read where it lies.
  void change_pool() {
    if (!stranger_) held_.clear();
    const BatchDescriptor& batch = pool_.batch(input_.byte());
    for (unsigned changes = 1 + input_.below(4); changes > 0; --changes)
      pool_.change(batch.offset + (std::uint64_t(input_.byte()) << 16 | input_.two_bytes()) % batch.length, input_.byte());
  }

  struct HeldBatch {
    BatchLease lease;
    std::uint64_t hash = 0;  ///< of its rows, when it came
  };

  void next() {
    auto lease = session_->next(0ms);
    outcome_.failed += !lease;
    outcome_.ended = session_->end() != StreamEnd::running;
    if (!lease || !*lease) return;
    schema::testing::read_everything((*lease)->view());
    ++outcome_.read;
    held_.push_back({**lease, schema::hash_rows((*lease)->view())});
    if (held_.size() > kMostHeld) held_.erase(held_.begin());
  }

  /// A writing that never ends is waited for, which takes most of the time of a fuzzer that does it often.
  void look_at_figures() {
    if (control_.header().figures.version % 2 == 1 && input_.below(64) != 0) return;
    static_cast<void>(session_->scan_figures());
  }

  void give_one_back() {
    if (held_.empty()) return;
    const auto which = held_.begin() + std::ptrdiff_t(input_.below(kMostHeld) % held_.size());
    demand(schema::hash_rows(which->lease.view()) == which->hash);
    held_.erase(which);
  }

  FuzzInput input_;
  FuzzedPool& pool_;
  ControlMemory control_;
  ConsumerMemory own_;
  std::optional<GroupMemory> ledger_;
  AttachOptions options_;
  bool stranger_ = false;
  EndFigures totals_;
  std::shared_ptr<ConsumerSession> session_;
  std::vector<HeldBatch> held_;
  StreamOutcome outcome_;
};

}  // namespace

StreamOutcome stream_fuzz(std::span<const std::uint8_t> input) {
  static FuzzedPool pool;
  return Stage(FuzzInput(input), pool).run();
}

}  // namespace pwalk::ipc::testing
