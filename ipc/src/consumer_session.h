#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "batch_source.h"
#include "fork_sentinel.h"
#include "group_reader.h"
#include "pwalk/ipc/batch_lease.h"
#include "pwalk/ipc/consumer.h"
#include "return_desk.h"
#include "scanner_link.h"
#include "stream_reader.h"

namespace pwalk::ipc {

/// What a Consumer and its leases share: the mappings, the reader, the way back.
/// Lives until the last of them is gone. give_back() by any thread, the rest by
/// the consumer's.
class ConsumerSession : public BatchSource, public std::enable_shared_from_this<ConsumerSession> {
 public:
  ConsumerSession(ScannerLink link, const AttachOptions& options);
  ~ConsumerSession() override;

  Result<std::optional<BatchLease>> next(std::chrono::milliseconds timeout) override;
  void detach() override;

  StreamEnd end() const override { return end_; }
  ConsumerStats stats() const override { return stats_; }
  const std::string& scan_name() const override { return link_.name; }
  pid_t scanner_pid() const override { return link_.scanner.pid(); }
  std::string image_file() const override { return {}; }
  std::optional<ScanFigures> scan_figures() const override {
    return read_figures<Atomics>(link_.control.header().figures);
  }
  bool in_pool(const void* address) const override { return link_.pool.contains(address); }

  /// Per lane, the sequence at which it begins.
  const std::vector<std::uint64_t>& start() const { return reader_.start(); }
  bool scanner_dead() const { return link_.scanner.dead(); }
  /// It was evicted: next() says ECANCELED.
  bool evicted() const { return failure_ && failure_->code == ECANCELED; }
  /// Of the whole stream. Requires end() complete or cut short.
  EndFigures end_figures() const { return reader_.end_figures(); }

 private:
  friend struct BatchLease::Held;
  using Clock = std::chrono::steady_clock;

  Taking take(StreamReader::Taken& taken, ClaimTicket& ticket);
  bool ready() const { return group_ ? group_->ready() : reader_.ready(); }
  bool ours(const StreamReader::Taken& taken) const;
  Result<void> pass_over(const StreamReader::Taken& taken);
  Result<BatchLease> lend(const StreamReader::Taken& taken, const ClaimTicket& ticket);
  Result<std::span<const std::byte>> pin_or_copy(BatchLease::Held& held);
  Result<void> check(const StreamReader::Taken& taken) const;
  void count_stated(const BatchDescriptor& descriptor);
  Result<void> count(const BatchDescriptor& descriptor, const schema::EntryBatchView& view);
  Result<void> conclude_if_over();
  Result<void> conclude_if_group_is_over(StreamState state);
  Result<void> conclude(StreamEnd end);
  Result<void> check_end_figures() const;
  bool over() const { return end_ != StreamEnd::running; }

  Result<bool> wait(Clock::time_point deadline);
  bool may_take();
  bool spin() const;
  Result<std::chrono::nanoseconds> next_slice(Clock::time_point deadline);
  Result<bool> sleep(Clock::time_point deadline);
  bool noticed() const;
  void forget_jam();
  Result<bool> await_return_room(Clock::time_point deadline);
  void kick() const;
  void kick_if_starved() const;
  void give_back(const BatchLease::Held& held);
  void return_to_scanner(const BatchLease::Held& held);
  void return_to_scanner(Return returned);
  tl::unexpected<Error> broken(std::string what);

  ScannerLink link_;
  AttachOptions options_;
  ForkSentinel sentinel_;
  StreamReader reader_;
  std::optional<GroupReader> group_;  ///< instead of it, for a member of a group
  ReturnDesk desk_;
  StreamEnd end_ = StreamEnd::running;
  ConsumerStats stats_;
  EndFigures stated_;             ///< sums of what the descriptors said
  std::optional<Error> failure_;  ///< nothing is read after one
  std::uint32_t sleeps_ = 0;  ///< counts them
  bool detached_ = false;
  bool scanner_died_ = false;
};

}  // namespace pwalk::ipc
