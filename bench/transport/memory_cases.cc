#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "carry.h"
#include "pwalk/schema/entry_batch_view.h"

/// What memory itself allows: one thread that copies, and readers of bytes that
/// nobody has to bring them.
namespace pwalk::bench {
namespace {

constexpr std::size_t kWindow = 8u << 20;

std::span<std::byte> shared_window(std::size_t bytes = kWindow) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return {static_cast<std::byte*>(memory), bytes};
}

/// 64 KiB after 64 KiB into a window as large as the small pool.
void run_memcpy(Board& board, std::pair<int, int>) {
  const Payload payload = plain_message(kBatchBytes);
  const std::span<std::byte> window = shared_window();
  const std::int64_t counts_from = now_ns() + kWarmUpNs, until = counts_from + kStreamNs;
  std::int64_t first = 0, now = 0;
  double bytes = 0;
  for (std::size_t at = 0; (now = now_ns()) < until; at = (at + kBatchBytes) % kWindow) {
    if (first == 0 && now >= counts_from) {
      first = now;
      bytes = 0;
    }
    std::memcpy(window.data() + at, payload.bytes.data(), kBatchBytes);
    bytes += double(kBatchBytes);
  }
  board.value = bytes / double(now - first);
}

/// A window, and what counts the blocks that were put into it and read from it, apart from each other.
struct CountedWindow {
  explicit CountedWindow(std::size_t bytes) : window(shared_window(bytes)) {
    void* memory = ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    counts = new (memory) Counts;
  }
  struct alignas(128) Count {
    std::atomic<std::uint64_t> blocks{0};  ///< release by its writer, acquire by the others
  };
  struct Counts {
    Count written;
    std::array<Count, kMostReaders> read;
    std::atomic<unsigned> readers{0};
    std::array<std::size_t, kWindow / kBatchBytes> lengths{};  ///< of the blocks, written and read with them
  };
  std::span<std::byte> window;
  Counts* counts = nullptr;
};

enum class Belief { blind, checked };

/// What the two CPUs allow: one copies blocks into a window, the others read them there, and
/// nothing but counters is between them. No transport that copies and is read can be faster; and
/// none whose readers believe nothing is faster than `checked`, where each looks at a batch as
/// pwalk's do. Readers on one CPU take turns; a single one never gives it up.
template <std::size_t kBytes, unsigned kReaders, Belief kBelief>
class CountersOnly {
 public:
  explicit CountersOnly(Board& board) : board_(board), shared_(kBytes) {}
  void begin_sending() {}
  void begin_receiving() { read_ = &shared_.counts->read[shared_.counts->readers.fetch_add(1)]; }
  void send(const Payload& payload) {
    while (sent_ - slowest_ == kBlocks) slowest_ = slowest();
    std::memcpy(block(sent_).data(), payload.bytes.data(), payload.bytes.size());
    shared_.counts->lengths[sent_ % kBlocks] = payload.bytes.size();
    shared_.counts->written.blocks.store(++sent_, std::memory_order_release);
  }
  void finish() { board_.closed.store(true, std::memory_order_release); }
  std::span<const std::byte> receive() {
    read_->blocks.store(received_, std::memory_order_release);
    for (;;) {
      const bool closed = board_.closed.load(std::memory_order_acquire);
      if (received_ < seen_) return believed(received_++);
      seen_ = shared_.counts->written.blocks.load(std::memory_order_acquire);
      if (received_ < seen_) continue;
      if (closed) return {};
      if constexpr (kReaders > 1) std::this_thread::yield();
    }
  }

 private:
  static constexpr std::uint64_t kBlocks = kBytes / kBatchBytes;
  std::span<std::byte> block(std::uint64_t number) const {
    return shared_.window.subspan(number % kBlocks * kBatchBytes, kBatchBytes);
  }
  std::span<const std::byte> believed(std::uint64_t number) {
    const std::span<const std::byte> bytes = block(number).first(shared_.counts->lengths[number % kBlocks]);
    if (kBelief == Belief::checked && !schema::EntryBatchView::check(bytes)) std::abort();
    return bytes;
  }
  std::uint64_t slowest() const {
    std::uint64_t least = sent_;
    for (unsigned i = 0; i < kReaders; ++i)
      least = std::min(least, shared_.counts->read[i].blocks.load(std::memory_order_acquire));
    return least;
  }

  Board& board_;
  CountedWindow shared_;
  CountedWindow::Count* read_ = nullptr;
  std::uint64_t sent_ = 0, slowest_ = 0;   ///< the sender's
  std::uint64_t received_ = 0, seen_ = 0;  ///< the reader's
};

/// The window again and again until the time is over: nothing is sent.
template <std::size_t kBytes>
class PlainReading {
 public:
  explicit PlainReading(Board&) : window_(shared_window(kBytes)) {}
  void begin_sending() {}
  void begin_receiving() { until_ = now_ns() + kWarmUpNs + kStreamNs; }
  void send(const Payload&) { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }
  void finish() {}
  std::span<const std::byte> receive() {
    if (now_ns() > until_) return {};
    at_ = (at_ + kBatchBytes) % kBytes;
    return window_.subspan(at_, kBatchBytes);
  }

 private:
  std::span<std::byte> window_;
  std::size_t at_ = 0;
  std::int64_t until_ = 0;
};

template <Workload kWorkload>
void add_counters_only(std::vector<Case>& cases) {
  const auto add = [&]<std::size_t kBytes, Belief kBelief>(const std::string& name) {
    cases.push_back({name, kWorkload, [](Board& board, std::pair<int, int> cpus) {
                       using Channel = CountersOnly<kBytes, readers_of(kWorkload), kBelief>;
                       run_channel<Channel>(board, kWorkload, cpus, entries_batch(kRowsInABatch));
                     }});
  };
  add.template operator()<kWindow, Belief::blind>("counters only, 8 MiB");
  add.template operator()<kWindow / 16, Belief::blind>("counters only, 512 KiB");
  add.template operator()<kWindow, Belief::checked>("counters only, 8 MiB, checked");
}

template <std::size_t kBytes>
void add_plain_reading(std::vector<Case>& cases, const std::string& name, Workload workload) {
  cases.push_back({name, workload, [workload](Board& board, std::pair<int, int> cpus) {
                     run_channel<PlainReading<kBytes>>(board, workload, cpus, plain_message(kBatchBytes));
                   }});
}

void run_probe(Board& board, std::pair<int, int> cpus) { board.value = probe_distance(cpus); }

}  // namespace

void add_memory_cases(std::vector<Case>& cases) {
  cases.push_back({"memcpy, one thread", Workload::batches, run_memcpy});
  add_counters_only<Workload::batches>(cases);
  add_counters_only<Workload::four_readers>(cases);
  add_counters_only<Workload::sixteen_readers>(cases);
  cases.push_back({"one word between the cores", Workload::reader_awake, run_probe});
  add_plain_reading<kWindow>(cases, "plain readers, 8 MiB", Workload::four_readers);
  add_plain_reading<kWindow>(cases, "plain readers, 8 MiB", Workload::sixteen_readers);
  add_plain_reading<8 * kWindow>(cases, "plain readers, 64 MiB", Workload::sixteen_readers);
}

}  // namespace pwalk::bench
