#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>

#include "board.h"
#include "cases.h"
#include "placement.h"

/// Runs one case over a channel: forks the readers, sends, and reckons.
///
/// A Channel is made before the fork (`Channel(Board&)`) and has
///   void begin_sending();     in the sender, after the fork
///   void begin_receiving();   in each reader
///   void send(const Payload&);
///   void finish();            no more comes
///   std::span<const std::byte> receive();   waits; empty at the end; valid until the next call
/// Templates and not virtual functions: a call would weigh against the fastest of them.
namespace pwalk::bench {

constexpr std::size_t kBatchBytes = 65536, kRecordBytes = 64;
constexpr std::uint32_t kRowsInABatch = 1000;  ///< entries that make kBatchBytes, nearly
constexpr std::int64_t kStreamNs = 60'000'000;   ///< one throughput sample
constexpr std::int64_t kWarmUpNs = 10'000'000;
constexpr std::int64_t kLatencyNs = 60'000'000;
constexpr std::int64_t kAwakePauseNs = 3'000;    ///< between two messages: within anybody's spin
constexpr std::int64_t kAsleepPauseNs = 150'000;  ///< beyond it

/// Reader, throughput: what came before the warm-up was over does not count, nor
/// the wait for the end.
template <class Channel>
void read_stream(Channel& channel, ReaderReport& report) {
  const std::int64_t counts_from = now_ns() + kWarmUpNs;
  std::uint64_t sum = 0, bytes = 0, messages = 0, looked = 0;
  for (;;) {
    const auto message = channel.receive();
    if (message.empty()) break;
    sum += sum_words(message);
    bytes += message.size();
    ++messages;
    if (bytes - looked < kBatchBytes) continue;  // a look at the clock per 64 KiB
    looked = bytes;
    report.last_ns = now_ns();
    report.bytes = bytes;
    report.messages = messages;
    if (report.first_ns == 0 && report.last_ns >= counts_from) {
      report.first_ns = report.last_ns;
      bytes = messages = looked = 0;
    }
  }
  report.sum = sum;
}

template <class Channel>
void send_stream(Channel& channel, Payload& payload) {
  const std::int64_t until = now_ns() + kWarmUpNs + kStreamNs;
  const std::uint64_t look = std::max<std::uint64_t>(1, kBatchBytes / payload.bytes.size());
  for (std::uint64_t sent = 0;; ++sent) {
    if (sent % look == 0 && now_ns() > until) break;
    payload.stamp(sent);
    channel.send(payload);
  }
}

/// Reader, latency: the stamp is when the message was sent.
template <class Channel>
void read_latencies(Channel& channel, std::size_t stamp_at, ReaderReport& report) {
  for (;;) {
    const auto message = channel.receive();
    if (message.empty()) break;
    const std::int64_t arrived = now_ns();
    report.latencies_ns[report.messages++ % kMostLatencies] =
        std::uint32_t(arrived - std::int64_t(word_at(message, stamp_at)));
    report.acknowledged.store(report.messages, std::memory_order_release);
  }
}

template <class Channel>
void send_slowly(Channel& channel, Payload& payload, Board& board, std::int64_t pause_ns) {
  const std::int64_t until = now_ns() + kLatencyNs;
  for (std::uint64_t sent = 1; now_ns() < until && sent < kMostLatencies; ++sent) {
    payload.stamp(std::uint64_t(now_ns()));
    channel.send(payload);
    while (board.readers[0].acknowledged.load(std::memory_order_acquire) < sent && now_ns() < until) {
    }
    for (const std::int64_t wake = now_ns() + pause_ns; now_ns() < wake;) {
    }
  }
}

inline bool is_latency(Workload workload) {
  return workload == Workload::reader_awake || workload == Workload::reader_asleep;
}
constexpr unsigned readers_of(Workload workload) {
  return workload == Workload::four_readers ? 4 : workload == Workload::sixteen_readers ? 16 : 1;
}

/// Fills in value and p99 from the readers' reports. `per_message`: records in one.
inline void reckon(Board& board, Workload workload, unsigned readers, double per_message) {
  if (is_latency(workload)) {
    ReaderReport& report = board.readers[0];
    // The first are warm-up.
    const std::size_t count = std::min<std::size_t>(report.messages, kMostLatencies);
    if (count < 50) return board.fail("too few messages came");
    std::vector<std::uint32_t> sorted(report.latencies_ns.begin() + 20, report.latencies_ns.begin() + long(count));
    std::sort(sorted.begin(), sorted.end());
    board.value = sorted[sorted.size() / 2];
    board.p99 = sorted[sorted.size() * 99 / 100];
    return;
  }
  std::int64_t first = board.readers[0].first_ns, last = board.readers[0].last_ns;
  double bytes = 0, messages = 0;
  for (unsigned i = 0; i < readers; ++i) {
    const ReaderReport& report = board.readers[i];
    if (report.first_ns == 0) return board.fail("a reader got next to nothing");
    first = std::min(first, report.first_ns);
    last = std::max(last, report.last_ns);
    bytes += double(report.bytes);
    messages += double(report.messages);
  }
  const double seconds = double(last - first) / 1e9;
  board.value = workload == Workload::records ? messages * per_message / seconds / 1e6 : bytes / seconds / 1e9;
}

/// Waits for the readers; false if one did not end well.
inline bool all_ended_well(const std::vector<pid_t>& readers) {
  bool well = true;
  for (const pid_t reader : readers) {
    int status = 0;
    well &= ::waitpid(reader, &status, 0) == reader && status == 0;
  }
  return well;
}

template <class Channel>
void run_channel(Board& board, Workload workload, std::pair<int, int> cpus, Payload payload,
                 double records_per_message = 1) {
  auto channel = std::make_unique<Channel>(board);
  const unsigned count = readers_of(workload);
  const pid_t sender = ::getpid();
  std::vector<pid_t> readers;
  for (unsigned i = 0; i < count; ++i) {
    const pid_t child = ::fork();
    if (child < 0) return board.fail("fork failed");
    if (child > 0) {
      readers.push_back(child);
      continue;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != sender) ::_exit(1);
    run_on(cpus.second);
    channel->begin_receiving();
    board.ready.fetch_add(1, std::memory_order_release);
    if (is_latency(workload))
      read_latencies(*channel, payload.stamp_at, board.readers[i]);
    else
      read_stream(*channel, board.readers[i]);
    ::_exit(0);
  }
  channel->begin_sending();
  while (board.ready.load(std::memory_order_acquire) < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (workload == Workload::reader_awake)
    send_slowly(*channel, payload, board, kAwakePauseNs);
  else if (workload == Workload::reader_asleep)
    send_slowly(*channel, payload, board, kAsleepPauseNs);
  else
    send_stream(*channel, payload);
  channel->finish();
  if (!all_ended_well(readers)) return board.fail("a reader failed");
  reckon(board, workload, count, records_per_message);
}

/// The usual rows of a peer that carries plain bytes.
template <class Channel>
void add_rows(std::vector<Case>& cases, const std::string& name, std::initializer_list<Workload> workloads) {
  for (const Workload workload : workloads) {
    const std::size_t bytes = workload == Workload::batches ? kBatchBytes : kRecordBytes;
    cases.push_back({name, workload, [workload, bytes](Board& board, std::pair<int, int> cpus) {
                       run_channel<Channel>(board, workload, cpus, plain_message(bytes));
                     }});
  }
}

}  // namespace pwalk::bench
