#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "chaos/group_tally.h"

/// What the processes of one round tell each other, in memory that they share.
namespace pwalk::ipc::chaos {

constexpr unsigned kMostConsumers = 12;

/// What the dice say of a round; the same for the same seed and number.
struct RoundPlan {
  std::uint64_t seed = 0;
  unsigned consumers = 1;          ///< that are there from the beginning and read everything
  unsigned groups = 0;
  unsigned members = 0;            ///< of them together that are there from the beginning
  bool short_lease = false;        ///< who is stopped for a while loses what it has to other members
  bool evict = false;              ///< the scanner does not wait for who is slow
  unsigned batches_per_worker = 1;
  unsigned most_rows = 100;
  unsigned steps = 1;              ///< of mischief
  bool early = false;              ///< which begins before the scan does; otherwise with it, however slow the machine is
  bool drain = false;  ///< the scanner waits until nobody is there, and then must be able to fill its pool again
};

/// How it went for a consumer; `killed` is what a report says that was never filled in.
enum class Fate : std::uint8_t { killed, not_attached, left, complete, scanner_died, evicted };
constexpr unsigned kFates = 6;

struct ConsumerReport {
  Fate fate = Fate::killed;
  std::array<char, 200> wrong{};  ///< "" if nothing is
};

struct Board {
  /// Rows whose publish() has returned: release by the worker, read after its death or by a consumer at the end (acquire).
  std::array<std::atomic<std::uint64_t>, kWorkers> published{};
  FirstRows first_rows{};
  std::atomic<bool> begun{false};     ///< the scanner publishes: release by it, read by who does mischief (acquire)
  std::atomic<bool> finished{false};  ///< all was published and finish() called
  std::array<char, 200> scanner_wrong{};
  std::array<ConsumerReport, kMostConsumers> consumers;
  std::array<GroupTally, kMostGroups> groups;
};

/// The first that is said is kept: it is the cause.
void say_wrong(std::array<char, 200>& where, const std::string& what);

/// They return the exit code of their process.
int run_scanner(const RoundPlan& plan, Board& board);
int run_consumer(const RoundPlan& plan, unsigned number, Board& board);
/// `number` is among all consumers.
int run_member(const RoundPlan& plan, unsigned number, unsigned group, Board& board);

}  // namespace pwalk::ipc::chaos
