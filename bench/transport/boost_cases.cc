#include <sys/mman.h>

#include <array>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstring>
#include <new>

#include "carry.h"

/// boost::lockfree::spsc_queue of fixed capacity, in shared memory.
namespace pwalk::bench {
namespace {

template <std::size_t kBytes>
struct Item {
  std::array<std::byte, kBytes> bytes;
};

/// `kInArrays`: pushed and popped many at a time.
template <std::size_t kBytes, std::size_t kCapacity, std::size_t kAtOnce>
class QueueChannel {
 public:
  using Queue = boost::lockfree::spsc_queue<Item<kBytes>, boost::lockfree::capacity<kCapacity>>;

  explicit QueueChannel(Board& board) : board_(board) {
    void* memory =
        ::mmap(nullptr, sizeof(Queue), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    queue_ = new (memory) Queue;
  }
  void begin_sending() {}
  void begin_receiving() {}
  void send(const Payload& payload) {
    if constexpr (kAtOnce == 1) {
      const auto& item = *reinterpret_cast<const Item<kBytes>*>(payload.bytes.data());
      while (!queue_->push(item)) {
      }
    } else {
      const auto* items = reinterpret_cast<const Item<kBytes>*>(payload.bytes.data());
      for (std::size_t pushed = 0; pushed < kAtOnce;) pushed += queue_->push(items + pushed, kAtOnce - pushed);
    }
  }
  void finish() { board_.closed.store(true, std::memory_order_release); }
  std::span<const std::byte> receive() {
    for (;;) {
      const bool closed = board_.closed.load(std::memory_order_acquire);
      if (const std::size_t got = queue_->pop(items_.data(), kAtOnce); got > 0)
        return {items_[0].bytes.data(), got * kBytes};
      if (closed) return {};
    }
  }

 private:
  Board& board_;
  Queue* queue_ = nullptr;
  std::vector<Item<kBytes>> items_ = std::vector<Item<kBytes>>(kAtOnce);
};

constexpr std::size_t kRecordsAtOnce = kBatchBytes / kRecordBytes;

}  // namespace

void add_boost_cases(std::vector<Case>& cases) {
  using One = QueueChannel<kRecordBytes, 16384, 1>;
  using Many = QueueChannel<kRecordBytes, 16384, kRecordsAtOnce>;
  add_rows<QueueChannel<kBatchBytes, 32, 1>>(cases, "Boost spsc_queue", {Workload::batches});
  add_rows<One>(cases, "Boost spsc_queue, one at a time", {Workload::records});
  cases.push_back({"Boost spsc_queue, arrays of 1024", Workload::records, [](Board& board, std::pair<int, int> cpus) {
                     run_channel<Many>(board, Workload::batches, cpus, plain_message(kBatchBytes));
                     board.value = board.value * 1e9 / kRecordBytes / 1e6;
                   }});
  add_rows<One>(cases, "Boost spsc_queue", {Workload::reader_awake});
}

}  // namespace pwalk::bench
