#include <fmt/format.h>

#include <random>
#include <thread>

#include "chaos/held_batches.h"
#include "chaos/round_board.h"
#include "pwalk/ipc/consumer.h"

namespace pwalk::ipc::chaos {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kPatience = 15s, kDrainPatience = 20ms;

class Member {
 public:
  Member(const RoundPlan& plan, unsigned number, unsigned group, Board& board)
      : plan_(plan), board_(board), tally_(board.groups[group]), group_(group_name(group)), random_(plan.seed * 37 + number) {
    hold_ = unsigned(random_() % 4);
    pause_us_ = random_() % 3 == 0 ? unsigned(random_() % 400) : 0;
    leave_after_ = plan.drain || random_() % 4 == 0 ? random_() % 30 : ~std::uint64_t{0};
    patience_for_scan_ = patience_for_scan(plan, number);
  }

  std::string run() {
    auto consumer = Consumer::attach({.scan = "chaos", .timeout = patience_for_scan_, .group = group_});
    if (!consumer) return "";
    fate_ = Fate::left;
    while (consumer->end() == StreamEnd::running && consumer->stats().batches < leave_after_) {
      auto lease = consumer->next(plan_.drain ? kDrainPatience : kPatience);
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
    held_.keep(std::move(lease));
    if (pause_us_ > 0) std::this_thread::sleep_for(std::chrono::microseconds(pause_us_));
    return held_.size() > hold_ ? held_.drop_one(random_) : "";
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
    const bool left = plan_.drain || consumer.stats().batches >= leave_after_;
    if (consumer.end() == StreamEnd::running && !left) return "nothing came, and no end either";
    return held_.drop_all();
  }

  const RoundPlan& plan_;
  const Board& board_;
  GroupTally& tally_;
  const std::string group_;
  std::mt19937_64 random_;
  unsigned hold_ = 0, pause_us_ = 0;
  std::uint64_t leave_after_ = 0;
  std::chrono::milliseconds patience_for_scan_{0};
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
