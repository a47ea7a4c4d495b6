#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

/// What the processes of one round tell each other, in memory that they share.
namespace pwalk::ipc::chaos {

constexpr unsigned kWorkers = 2;
constexpr unsigned kMostConsumers = 8;
/// Rows of worker w are numbered from w * kWorkerStride.
constexpr std::uint64_t kWorkerStride = 1'000'000;

/// What the dice say of a round; the same for the same seed and number.
struct RoundPlan {
  std::uint64_t seed = 0;
  unsigned consumers = 1;          ///< that are there from the beginning
  unsigned batches_per_worker = 1;
  unsigned most_rows = 100;
  unsigned steps = 1;              ///< of mischief
  bool early = false;              ///< which begins before the scan does; otherwise with it, however slow the machine is
  bool drain = false;  ///< the scanner waits until nobody is there, and then must be able to fill its pool again
};

/// How it went for a consumer; `killed` is what a report says that was never filled in.
enum class Fate : std::uint8_t { killed, not_attached, left, complete, scanner_died };
constexpr unsigned kFates = 5;

struct ConsumerReport {
  Fate fate = Fate::killed;
  std::array<char, 200> wrong{};  ///< "" if nothing is
};

struct Board {
  /// Rows whose publish() has returned: release by the worker, read after its death or by a consumer at the end (acquire).
  std::array<std::atomic<std::uint64_t>, kWorkers> published{};
  std::atomic<bool> begun{false};     ///< the scanner publishes: release by it, read by who does mischief (acquire)
  std::atomic<bool> finished{false};  ///< all was published and finish() called
  std::array<char, 200> scanner_wrong{};
  std::array<ConsumerReport, kMostConsumers> consumers;
};

void say_wrong(std::array<char, 200>& where, const std::string& what);

/// Both return the exit code of their process.
int run_scanner(const RoundPlan& plan, Board& board);
int run_consumer(const RoundPlan& plan, unsigned number, Board& board);

}  // namespace pwalk::ipc::chaos
