#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>

#include "chaos/round_board.h"
#include "ipc/scan_fixture.h"
#include "pwalk/ipc/scan_session.h"

namespace pwalk::ipc::chaos {
namespace {

using namespace std::chrono_literals;
using testing::BatchSource;

constexpr std::uint64_t kPoolBytes = 2u << 20;
constexpr auto kPatience = 15s;
constexpr auto kEvictAfter = 4ms;
/// So that no batch is given up however often its members are killed.
constexpr std::uint32_t kAttempts = 63;
/// Somebody who asks for more while the pool is full of what members keep is told after a lease.
constexpr auto kLease = 500ms, kShortLease = 10ms;
/// A round with a group whose members are all dead takes so much longer.
constexpr auto kGroupLinger = 50ms;

template <class Condition>
bool wait_until(Condition&& condition) {
  for (const auto deadline = std::chrono::steady_clock::now() + kPatience; !condition();) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(500us);
  }
  return true;
}

long open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

long consumer_mappings() {
  long count = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) count += line.find("memfd:pwalk-consumer") != std::string::npos;
  return count;
}

class Scanner {
 public:
  Scanner(const RoundPlan& plan, Board& board, ScanSession& session) : plan_(plan), board_(board), session_(session) {
    session_.reuse_without_consumers(true);
    descriptors_ = open_descriptors();  // before anybody is served
    control_ = std::thread([this] {
      while (!done_) serve();
    });
  }
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;
  ~Scanner() {
    done_ = true;
    session_.wake();
    control_.join();
  }

  void run() {
    const unsigned expected = plan_.consumers + plan_.members;
    wait_until([&] { return session_.attendance().ever >= expected || !someone_may_come(); });
    board_.begun.store(true, std::memory_order_release);
    std::thread other([this] { publish_as(1); });
    publish_as(0);
    other.join();
    if (plan_.drain) expect_everything_back();
    board_.finished.store(true, std::memory_order_release);
    session_.finish(true);
    await_the_end();
    expect_nobody();
  }

 private:
  void serve() {
    session_.serve(plan_.evict ? kEvictAfter / 2 : 20ms);
    if (plan_.evict) session_.watch_slow_consumers(kEvictAfter);
    follow_groups();
  }

  /// By both threads: what one was told must not be overwritten by what the other was told before.
  void follow_groups() {
    const std::lock_guard lock(following_);
    for (const GroupStatus& status : session_.groups())
      if (GroupTally* tally = tally_of(status)) tally->follow(status);
  }
  GroupTally* tally_of(const GroupStatus& status) {
    for (unsigned group = 0; group < plan_.groups; ++group)
      if (status.name == group_name(group)) return &board_.groups[group];
    return nullptr;
  }

  /// Groups that there were before everybody had finished have finished too; who comes this late makes new ones.
  void await_the_end() {
    std::vector<GroupStatus> groups;
    const bool ended = wait_until([&] {
      groups = session_.groups();
      return session_.attendance().all_finished;
    });
    if (!ended) return wrong("a consumer never came to the end");
    follow_groups();
    for (const GroupStatus& status : groups)
      if (GroupTally* tally = tally_of(status)) tally->ended();
  }

  /// A consumer may have been killed before it attached: then one does not wait for it for long.
  bool someone_may_come() const { return std::chrono::steady_clock::now() - began_ < 100ms; }

  void publish_as(unsigned worker) {
    std::mt19937_64 random(plan_.seed + worker);
    BatchSource source(worker * kWorkerStride);
    for (unsigned i = 0; i < plan_.batches_per_worker; ++i) {
      board_.first_rows[worker][i].store(worker * kWorkerStride + source.rows_made(), std::memory_order_release);
      const auto batch = source.make(1 + std::uint32_t(random() % plan_.most_rows));
      if (!session_.publish(worker, batch)) return wrong("a batch was refused");
      board_.published[worker].store(source.rows_made(), std::memory_order_release);
    }
  }

  /// Nobody is there: no registration, no descriptor, no mapping may be left of those who were.
  void expect_nobody() {
    if (!wait_until([&] { return session_.consumers().empty(); }))
      wrong(fmt::format("{} registrations are left", session_.consumers().size()));
    // A group that has done everything is known until the end, for members that come late: its ledger is open.
    const auto allowed = [&] { return descriptors_ + groups_left(); };
    if (!wait_until([&] { return open_descriptors() <= allowed(); }))
      wrong(fmt::format("{} descriptors instead of {}", open_descriptors(), allowed()));
    if (!wait_until([] { return consumer_mappings() == 0; }))
      wrong(fmt::format("{} consumers' mappings are left", consumer_mappings()));
  }

  /// Consumers of such a round leave before the end. Then every block must be free again: the
  /// pool takes itself several times over without anybody waiting.
  void expect_everything_back() {
    expect_nobody();
    if (!wait_until([&] { return groups_left() == 0; })) wrong("a group without members was not dissolved");
    const auto ever = session_.attendance().ever;
    if (!session_.consumers().empty()) return;  // a newcomer, just now
    const auto waited = session_.backpressure();
    BatchSource source(kWorkers * kWorkerStride);
    const auto large = source.make(8000);
    for (std::uint64_t bytes = 0; bytes < 3 * kPoolBytes; bytes += large.bytes.size())
      if (!session_.publish(0, large)) return wrong("a batch was refused");
    if (session_.backpressure() != waited && session_.attendance().ever == ever) wrong("blocks were held by nobody");
  }

  long groups_left() const {
    const auto groups = session_.groups();
    return std::count_if(groups.begin(), groups.end(), [](const GroupStatus& group) { return !group.dissolved; });
  }

  void wrong(const std::string& what) { say_wrong(board_.scanner_wrong, what); }

  const RoundPlan& plan_;
  Board& board_;
  ScanSession& session_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::atomic<bool> done_{false};
  std::mutex following_;
  std::thread control_;
  long descriptors_ = 0;
};

}  // namespace

void say_wrong(std::array<char, 200>& where, const std::string& what) {
  if (where[0] != 0) return;
  std::copy_n(what.begin(), std::min(what.size(), where.size() - 1), where.begin());
}

int run_scanner(const RoundPlan& plan, Board& board) {
  auto session = ScanSession::create({.name = "chaos",
                                      .roots = {"/numbered"},
                                      .pool_bytes = kPoolBytes,
                                      .huge_pages = HugePages::off,
                                      .group_lease = plan.short_lease ? kShortLease : kLease,
                                      .group_attempts = kAttempts,
                                      .group_linger = kGroupLinger,
                                      .lanes = 2});
  if (!session) {
    say_wrong(board.scanner_wrong, session.error().message());
    return 1;
  }
  Scanner(plan, board, *session).run();
  return 0;
}

}  // namespace pwalk::ipc::chaos
