#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "carry.h"
#include "pwalk/ipc/consumer.h"
#include "pwalk/ipc/scan_session.h"

/// The lanes as users get them: ScanSession, and Consumer with its checks.
namespace pwalk::bench {
namespace {

using namespace std::chrono_literals;

template <std::uint64_t kPoolBytes>
class LaneChannel {
 public:
  explicit LaneChannel(Board& board) : board_(board), name_(fmt::format("bench-{}", ::getpid())) {}
  LaneChannel(const LaneChannel&) = delete;
  LaneChannel& operator=(const LaneChannel&) = delete;
  ~LaneChannel() {
    done_ = true;
    if (session_) session_->wake();
    if (control_.joinable()) control_.join();
  }

  void begin_sending() {
    auto session = ipc::ScanSession::create({.name = name_, .roots = {"/bench"}, .pool_bytes = kPoolBytes, .lanes = 1});
    if (!session) stop(session.error().message());
    session_ = std::make_unique<ipc::ScanSession>(*std::move(session));
    control_ = std::thread([this] {
      run_anywhere();
      while (!done_) session_->serve(20ms);
    });
  }
  void begin_receiving() {
    auto consumer = ipc::Consumer::attach({.scan = name_, .timeout = 10s, .verify_rows = false});
    if (!consumer) stop(consumer.error().message());
    consumer_ = std::make_unique<ipc::Consumer>(*std::move(consumer));
  }

  void send(const Payload& payload) {
    const auto sent = session_->publish(0, {.bytes = payload.bytes,
                                            .rows = payload.rows,
                                            .records = payload.records,
                                            .file_bytes = payload.file_bytes,
                                            .content_hash = payload.content_hash});
    if (!sent) stop(sent.error().message());
  }
  void finish() { session_->finish(true); }

  std::span<const std::byte> receive() {
    auto lease = consumer_->next(10s);
    if (!lease) stop(lease.error().message());
    if (!*lease) return {};
    held_ = **std::move(lease);
    return held_.view().bytes();
  }

 private:
  [[noreturn]] void stop(const std::string& why) {
    board_.fail(why);
    ::_exit(1);
  }

  Board& board_;
  const std::string name_;
  std::unique_ptr<ipc::ScanSession> session_;
  std::atomic<bool> done_{false};
  std::thread control_;
  std::unique_ptr<ipc::Consumer> consumer_;
  ipc::BatchLease held_;
};

using Small = LaneChannel<8u << 20>;
using Medium = LaneChannel<64u << 20>;  ///< grants that let 16 readers hold a batch each in place
using Default = LaneChannel<256u << 20>;

template <class Channel>
void add(std::vector<Case>& cases, const std::string& name, Workload workload, std::uint32_t rows) {
  cases.push_back({name, workload, [workload, rows](Board& board, std::pair<int, int> cpus) {
                     run_channel<Channel>(board, workload, cpus, entries_batch(rows), rows);
                   }});
}

}  // namespace

void add_pwalk_cases(std::vector<Case>& cases) {
  add<Small>(cases, "pwalk, pool of 8 MiB", Workload::batches, kRowsInABatch);
  add<Default>(cases, "pwalk, pool of 256 MiB, while it grows", Workload::batches, kRowsInABatch);
  add<Small>(cases, "pwalk, 1000 in a batch", Workload::records, kRowsInABatch);
  add<Small>(cases, "pwalk, 4000 in a batch", Workload::records, 4 * kRowsInABatch);
  add<Small>(cases, "pwalk", Workload::reader_awake, 1);
  add<Small>(cases, "pwalk", Workload::reader_asleep, 1);
  add<Small>(cases, "pwalk, pool of 8 MiB", Workload::four_readers, kRowsInABatch);
  add<Small>(cases, "pwalk, pool of 8 MiB", Workload::sixteen_readers, kRowsInABatch);
  add<Medium>(cases, "pwalk, pool of 64 MiB", Workload::sixteen_readers, kRowsInABatch);
}

}  // namespace pwalk::bench
