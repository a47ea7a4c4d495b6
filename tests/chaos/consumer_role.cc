#include <fmt/format.h>

#include <random>

#include "chaos/held_batches.h"
#include "chaos/round_board.h"
#include "pwalk/ipc/consumer.h"
#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::ipc::chaos {
namespace {

/// Which of the workers' rows came.
class Seen {
 public:
  /// "" or what is wrong.
  std::string add(const schema::EntryBatchView& view) {
    const schema::ColumnView& inode = view.column(schema::Column::inode);
    for (std::uint32_t row = 0; row < view.rows(); ++row) {
      const auto number = inode.at<std::uint64_t>(row);
      const std::uint64_t worker = number / kWorkerStride;
      if (worker == kWorkers) continue;  // what a draining scanner fills its pool with
      if (worker > kWorkers) return fmt::format("row {} was never published", number);
      std::vector<bool>& mine = rows_[worker];
      const std::uint64_t at = number % kWorkerStride;
      if (at >= mine.size()) mine.resize(at + 1);
      if (mine[at]) return fmt::format("row {} came twice", number);
      mine[at] = true;
      ++count_;
    }
    return "";
  }
  /// The first `rows` rows of each worker must be there.
  std::string missing(const std::array<std::uint64_t, kWorkers>& rows) const {
    for (unsigned worker = 0; worker < kWorkers; ++worker)
      for (std::uint64_t at = 0; at < rows[worker]; ++at)
        if (at >= rows_[worker].size() || !rows_[worker][at])
          return fmt::format("row {} of worker {} was lost", at, worker);
    return "";
  }
  std::uint64_t count() const { return count_; }

 private:
  std::array<std::vector<bool>, kWorkers> rows_;
  std::uint64_t count_ = 0;
};

std::array<std::uint64_t, kWorkers> published(const Board& board) {
  std::array<std::uint64_t, kWorkers> rows{};
  for (unsigned worker = 0; worker < kWorkers; ++worker)
    rows[worker] = board.published[worker].load(std::memory_order_acquire);
  return rows;
}

class Reader {
 public:
  Reader(const RoundPlan& plan, unsigned number, Board& board)
      : plan_(plan), board_(board), random_(plan.seed * 31 + number) {
    start_ = random_() % 4 == 0 ? StartAt::oldest : random_() % 8 == 0 ? StartAt::now : StartAt::first;
    habits_ = habits_of(plan, number, random_);
  }

  std::string run() {
    auto consumer = Consumer::attach({.scan = "chaos", .timeout = habits_.patience_for_scan, .start = start_});
    // Not there (any more), or something is gone: nothing was promised.
    if (!consumer) return "";
    fate_ = Fate::left;
    while (consumer->end() == StreamEnd::running && consumer->stats().batches < habits_.leave_after) {
      auto lease = consumer->next(habits_.patience);
      if (!lease && lease.error().code == ECANCELED && plan_.evict) return go_evicted();
      if (!lease) return lease.error().message();
      if (!*lease) break;
      if (const std::string wrong = seen_.add((*lease)->view()); !wrong.empty()) return wrong;
      if (const std::string wrong = held_.keep(**std::move(lease), habits_, random_); !wrong.empty()) return wrong;
    }
    if (const std::string wrong = held_.drop_all(); !wrong.empty()) return wrong;
    if (plan_.drain && consumer->end() == StreamEnd::running) return "";  // its scanner waits for it to go
    if (consumer->end() == StreamEnd::running && consumer->stats().batches < habits_.leave_after)
      return "nothing came, and no end either";
    if (consumer->end() == StreamEnd::complete) fate_ = Fate::complete;
    if (consumer->end() == StreamEnd::scanner_died) fate_ = Fate::scanner_died;
    return judge(*consumer);
  }
  Fate fate() const { return fate_; }

 private:
  /// What it still has is as it was.
  std::string go_evicted() {
    fate_ = Fate::evicted;
    return held_.drop_all();
  }

  std::string judge(const Consumer& consumer) const {
    if (consumer.stats().batches >= habits_.leave_after) return "";  // it left in the middle
    if (consumer.end() == StreamEnd::complete) {
      if (start_ == StartAt::first) return seen_.missing(published(board_));
      if (plan_.drain) return "";  // the filling counts as missed too
      const auto all = published(board_);
      const std::uint64_t total = all[0] + all[1];
      if (seen_.count() + consumer.missed_rows() == total) return "";
      return fmt::format("{} rows seen, {} missed, {} published", seen_.count(), consumer.missed_rows(), total);
    }
    if (consumer.end() == StreamEnd::scanner_died)
      return start_ == StartAt::first ? seen_.missing(published(board_)) : "";
    return "cut short by nobody";
  }

  const RoundPlan& plan_;
  const Board& board_;
  std::mt19937_64 random_;
  StartAt start_ = StartAt::first;
  Habits habits_;
  Fate fate_ = Fate::not_attached;
  Seen seen_;
  HeldBatches held_;
};

}  // namespace

int run_consumer(const RoundPlan& plan, unsigned number, Board& board) {
  ConsumerReport& report = board.consumers[number];
  Reader reader(plan, number, board);
  const std::string wrong = reader.run();
  say_wrong(report.wrong, wrong);
  report.fate = reader.fate();
  return wrong.empty() ? 0 : 1;
}

}  // namespace pwalk::ipc::chaos
