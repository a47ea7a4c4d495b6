#include <fmt/format.h>

#include <random>

#include "chaos/held_batches.h"
#include "chaos/round_board.h"
#include "pwalk/ipc/consumer.h"

namespace pwalk::ipc::chaos {
namespace {

class Member {
 public:
  Member(const RoundPlan& plan, unsigned number, unsigned group, Board& board)
      : plan_(plan), board_(board), tally_(board.groups[group]), group_(group_name(group)), random_(plan.seed * 37 + number),
        habits_(habits_of(plan, number, random_)) {}

  std::string run() {
    auto consumer = Consumer::attach({.scan = "chaos", .timeout = habits_.patience_for_scan, .group = group_});
    if (!consumer) return "";
    fate_ = Fate::left;
    while (consumer->end() == StreamEnd::running && consumer->stats().batches < habits_.leave_after) {
      auto lease = consumer->next(habits_.patience);
      if (!lease) {
        if (const std::string wrong = bear(lease.error()); !wrong.empty()) return wrong;
        if (fate_ == Fate::evicted) return held_.drop_all();
        continue;
      }
      if (!*lease) break;
      if (const std::string wrong = work_on(**std::move(lease)); !wrong.empty()) return wrong;
    }
    return conclude(*consumer);
  }
  Fate fate() const { return fate_; }

 private:
  std::string work_on(BatchLease lease) {
    if (const std::string wrong = tally_.count(lease, board_.first_rows); !wrong.empty()) return wrong;
    return held_.keep(std::move(lease), habits_, random_);
  }

  /// What the scanner may tell a member: that it is evicted, if it evicts; that the pool is full of what members keep.
  std::string bear(const Error& error) {
    if (error.code == EDEADLK) return held_.drop_all();
    if (error.code != ECANCELED || !plan_.evict) return error.message();
    fate_ = Fate::evicted;
    return "";
  }

  std::string conclude(const Consumer& consumer) {
    if (consumer.end() == StreamEnd::complete) fate_ = Fate::complete;
    if (consumer.end() == StreamEnd::scanner_died) fate_ = Fate::scanner_died;
    if (consumer.end() == StreamEnd::cut_short) return "cut short by nobody";
    const bool left = plan_.drain || consumer.stats().batches >= habits_.leave_after;
    if (consumer.end() == StreamEnd::running && !left) return "nothing came, and no end either";
    return held_.drop_all();
  }

  const RoundPlan& plan_;
  const Board& board_;
  GroupTally& tally_;
  const std::string group_;
  std::mt19937_64 random_;
  const Habits habits_;
  Fate fate_ = Fate::not_attached;
  HeldBatches held_;
};

}  // namespace

int run_member(const RoundPlan& plan, unsigned number, unsigned group, Board& board) {
  ConsumerReport& report = board.consumers[number];
  Member member(plan, number, group, board);
  const std::string wrong = member.run();
  say_wrong(report.wrong, wrong);
  report.fate = member.fate();
  return wrong.empty() ? 0 : 1;
}

}  // namespace pwalk::ipc::chaos
