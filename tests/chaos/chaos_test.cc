/// Scanner and consumers as processes, killed, stopped and continued at random, and joined by others.
///
///   PWALK_TEST_SEED=…        the same dice again (printed at the start)
///   PWALK_CHAOS_ROUNDS=…     how many rounds
///   PWALK_CHAOS_FIRST=…      beginning with this one: a failed round alone is ROUNDS=1 and its number
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <new>
#include <random>
#include <thread>

#include "chaos/round_board.h"
#include "ipc/scan_fixture.h"
#include "pwalk/base/unique_fd.h"
#include "pwalk/ipc/scan_directory.h"

namespace pwalk::ipc::chaos {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Rounds mostly wait; so many of them share the CPUs.
constexpr unsigned kSideBySide = 4;

/// The watchdog: all processes of a round must have ended by then.
constexpr auto kRoundMayTake = 40s;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* given = std::getenv(variable);
  return given ? std::strtoull(given, nullptr, 0) : otherwise;
}

/// Rounds for CI: quick ones without sanitizers, a sample with them.
std::uint64_t usual_rounds() {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || !defined(NDEBUG)
  return 60;
#else
  return 2000;
#endif
}

RoundPlan plan_of(std::uint64_t seed, std::uint64_t round) {
  std::mt19937_64 random(seed ^ (round + 1) * 0x9e3779b97f4a7c15);
  RoundPlan plan;
  plan.seed = random();
  plan.consumers = 1 + unsigned(random() % 3);
  plan.batches_per_worker = 2 + unsigned(random() % 40);
  plan.most_rows = random() % 3 == 0 ? 3000 : 200;  // large ones fill the pool
  plan.steps = unsigned(random() % 7);
  plan.drain = random() % 4 == 0;
  plan.early = random() % 4 == 0;
  plan.groups = random() % 2 == 0 ? 1 + unsigned(random() % kMostGroups) : 0;
  plan.members = plan.groups > 0 ? 1 + unsigned(random() % 4) : 0;
  plan.short_lease = random() % 2 == 0;
  plan.evict = random() % 2 == 0;
  return plan;
}

/// One process of a round.
class Player {
 public:
  template <class Role>
  Player(pid_t group, Role&& role) {
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork");
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::setpgid(0, group);
      ::_exit(role());
    }
    ::setpgid(pid_, group ? group : pid_);
    handle_ = UniqueFd(int(::syscall(SYS_pidfd_open, pid_, 0)));
  }
  pid_t pid() const { return pid_; }
  bool killed() const { return killed_; }

  void suffer(int signal) {
    ::kill(pid_, signal);
    killed_ |= signal == SIGKILL;
  }
  bool ends_before(Clock::time_point deadline) const {
    pollfd wait{handle_.get(), POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    return ::poll(&wait, 1, int(std::max<std::int64_t>(0, left.count()))) > 0;
  }
  /// The wait status.
  int reap() const {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return status;
  }

 private:
  pid_t pid_ = -1;
  UniqueFd handle_;
  bool killed_ = false;
};

class Round {
 public:
  Round(const RoundPlan& plan, Board& board) : plan_(plan), board_(board), random_(plan.seed) {}

  std::string run() {
    players_.emplace_back(0, [this] { return run_scanner(plan_, board_); });
    for (unsigned i = 0; i < plan_.consumers + plan_.members; ++i) add_consumer();
    if (!plan_.early) await_scan();
    for (unsigned step = 0; step < plan_.steps; ++step) do_mischief();
    for (Player& player : players_) player.suffer(SIGCONT);
    const auto deadline = Clock::now() + kRoundMayTake;
    std::string wrong;
    for (std::size_t i = 0; i < players_.size(); ++i)
      if (!players_[i].ends_before(deadline)) wrong = fmt::format("{} did not end", name_of(i));
    ::kill(-players_[0].pid(), SIGKILL);
    for (std::size_t i = 0; i < players_.size(); ++i)
      if (const std::string said = verdict(i); wrong.empty()) wrong = said;
    for (unsigned group = 0; group < plan_.groups && wrong.empty(); ++group)
      if (const std::string said = board_.groups[group].verdict(plan_.batches_per_worker); !said.empty())
        wrong = fmt::format("{}: {}", group_name(group), said);
    return wrong;
  }
  unsigned consumers() const { return unsigned(players_.size()) - 1; }

 private:
  void add_consumer() {
    const unsigned number = unsigned(players_.size()) - 1;
    if (number == kMostConsumers) return;
    const bool to_group = number >= plan_.consumers &&
                          (number < plan_.consumers + plan_.members || (plan_.groups > 0 && random_() % 2 == 0));
    players_.emplace_back(players_[0].pid(), [this, number, to_group] {
      return to_group ? run_member(plan_, number, number % plan_.groups, board_) : run_consumer(plan_, number, board_);
    });
  }

  void await_scan() const {
    for (const auto deadline = Clock::now() + kRoundMayTake; Clock::now() < deadline; std::this_thread::sleep_for(100us))
      if (board_.begun.load(std::memory_order_acquire)) return;
  }

  void do_mischief() {
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % 2500));
    Player& victim = players_[random_() % players_.size()];
    switch (random_() % 8) {
      case 0: victim.suffer(SIGKILL); break;
      case 1: case 2: victim.suffer(SIGSTOP); break;
      case 3: case 4: victim.suffer(SIGCONT); break;
      default: add_consumer();
    }
  }

  std::string name_of(std::size_t player) const {
    return player == 0 ? "the scanner" : fmt::format("consumer {}", player - 1);
  }

  /// Of those who survived. A scanner that has died leaves consumers that judge by what it had published.
  std::string verdict(std::size_t player) const {
    const int status = players_[player].reap();
    if (players_[player].killed()) return "";
    const auto& said = player == 0 ? board_.scanner_wrong : board_.consumers[player - 1].wrong;
    if (said[0] != 0) return fmt::format("{}: {}", name_of(player), said.data());
    if (status != 0) return fmt::format("{} ended with status {:#x}", name_of(player), status);
    return "";
  }

  const RoundPlan plan_;
  Board& board_;
  std::mt19937_64 random_;
  std::vector<Player> players_;
};

/// Reserved huge pages that are free, of all sizes: none may stay taken.
std::string free_huge_pages() {
  std::ifstream meminfo("/proc/meminfo");
  for (std::string line; std::getline(meminfo, line);)
    if (line.starts_with("HugePages_Free")) return line;
  return "";
}

/// Makes a T that the processes forked from here on share.
template <class T>
class Shared {
 public:
  Shared() {
    void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    value_ = new (memory) T;
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { ::munmap(value_, sizeof(T)); }
  T& operator*() const { return *value_; }
  T* operator->() const { return value_; }

 private:
  T* value_ = nullptr;
};

/// What came of all rounds: relaxed, read when everybody has ended.
struct Sums {
  std::array<std::atomic<std::uint64_t>, kFates> fates;  ///< of consumers
  std::atomic<std::uint64_t> groups_done{0}, redelivered{0};
};

std::string play(const RoundPlan& plan, Sums& sums) {
  const Shared<Board> board;
  Round round(plan, *board);
  const std::string wrong = round.run();
  for (unsigned i = 0; i < round.consumers(); ++i)
    sums.fates[std::size_t(board->consumers[i].fate)].fetch_add(1, std::memory_order_relaxed);
  for (const GroupTally& group : board->groups) {
    sums.groups_done.fetch_add(group.done(), std::memory_order_relaxed);
    sums.redelivered.fetch_add(group.redelivered(), std::memory_order_relaxed);
  }
  return wrong;
}

/// What is left on disk of a round: a dead scanner's directory at most, which the next command removes.
std::string leftovers(const testing::RuntimeDirectory& runtime) {
  if (const auto removed = remove_dead_scans(runtime.path()); !removed) return removed.error().message();
  const auto names = runtime.names();
  return names.empty() ? "" : "left in the runtime directory: " + names.front();
}

struct Series {
  std::uint64_t seed = 0, first = 0, end = 0;
};

/// Every kSideBySide-th round of the series, in a process and a runtime directory of its own.
/// The number of rounds that went wrong: it stops at the first.
int play_every_nth(const Series& series, unsigned offset, Sums& sums) {
  const testing::RuntimeDirectory runtime;
  for (std::uint64_t round = series.first + offset; round < series.end; round += kSideBySide) {
    std::string wrong = play(plan_of(series.seed, round), sums);
    if (wrong.empty()) wrong = leftovers(runtime);
    if (wrong.empty()) continue;
    fmt::print(stderr, "round {}: {}; again: PWALK_TEST_SEED={} PWALK_CHAOS_FIRST={} PWALK_CHAOS_ROUNDS=1\n", round, wrong,
               series.seed, round);
    return 1;
  }
  return 0;
}

TEST(ChaosTest, NothingIsLostDoubledOrLeaked) {
  Series series{.seed = testing::test_seed(), .first = number_from("PWALK_CHAOS_FIRST", 0)};
  series.end = series.first + number_from("PWALK_CHAOS_ROUNDS", usual_rounds());
  const std::string huge_pages = free_huge_pages();
  const Shared<Sums> sums;
  std::vector<pid_t> children;
  for (unsigned i = 0; i < kSideBySide; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::_exit(play_every_nth(series, i, *sums));
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  const auto count = [&](Fate fate) { return sums->fates[std::size_t(fate)].load(std::memory_order_relaxed); };
  const std::uint64_t groups_done = sums->groups_done, redelivered = sums->redelivered;
  fmt::print("consumers: {} read to the end, {} saw the scanner die, {} left, {} were evicted, {} were killed, {} did not attach\n"
             "groups: {} came to their end, {} batches came marked as redelivered\n",
             count(Fate::complete), count(Fate::scanner_died), count(Fate::left), count(Fate::evicted), count(Fate::killed),
             count(Fate::not_attached), groups_done, redelivered);
  if (series.end - series.first >= 2000) {  // otherwise the dice may not have thrown everything
    for (const Fate fate : {Fate::complete, Fate::scanner_died, Fate::left, Fate::evicted, Fate::killed}) EXPECT_GT(count(fate), 20u);
    EXPECT_GT(groups_done, 20u);
    EXPECT_GT(redelivered, 20u);
  }
  // Others may take some meanwhile where there are any.
  if (huge_pages.find(" 0") == std::string::npos) {
    EXPECT_EQ(free_huge_pages(), huge_pages);
  }
}

}  // namespace
}  // namespace pwalk::ipc::chaos
