#include <sys/mman.h>

#include <cstring>
#include <new>

#include "carry.h"

/// What memory itself allows: one thread that copies, and readers of bytes that
/// nobody has to bring them.
namespace pwalk::bench {
namespace {

constexpr std::size_t kWindow = 8u << 20;

std::span<std::byte> shared_window() {
  void* memory = ::mmap(nullptr, kWindow, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return {static_cast<std::byte*>(memory), kWindow};
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

/// The window again and again until the time is over: nothing is sent.
class PlainReading {
 public:
  explicit PlainReading(Board&) : window_(shared_window()) {}
  void begin_sending() {}
  void begin_receiving() { until_ = now_ns() + kWarmUpNs + kStreamNs; }
  void send(const Payload&) { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }
  void finish() {}
  std::span<const std::byte> receive() {
    if (now_ns() > until_) return {};
    at_ = (at_ + kBatchBytes) % kWindow;
    return window_.subspan(at_, kBatchBytes);
  }

 private:
  std::span<std::byte> window_;
  std::size_t at_ = 0;
  std::int64_t until_ = 0;
};

void run_probe(Board& board, std::pair<int, int> cpus) { board.value = probe_distance(cpus); }

}  // namespace

void add_memory_cases(std::vector<Case>& cases) {
  cases.push_back({"memcpy, one thread", Workload::batches, run_memcpy});
  cases.push_back({"one word between the cores", Workload::reader_awake, run_probe});
  for (const Workload workload : {Workload::four_readers, Workload::sixteen_readers})
    cases.push_back({"plain readers", workload, [workload](Board& board, std::pair<int, int> cpus) {
                       run_channel<PlainReading>(board, workload, cpus, plain_message(kBatchBytes));
                     }});
}

}  // namespace pwalk::bench
