#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "pwalk/scan_stats.h"

namespace pwalk {

/// Distribution of nanoseconds in 8 linear steps per power of two, as HdrHistogram
/// does it: any value is known to 12.5 %, in 2 KiB. One writer, any readers.
class LatencyHistogram {
 public:
  void add(std::uint64_t nanoseconds) {
    // One writer, so no read-modify-write; relaxed: readers want figures, not order.
    auto& slot = slots_[slot_of(nanoseconds)];
    slot.store(slot.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  /// Any thread.
  std::uint64_t count(unsigned slot) const { return slots_[slot].load(std::memory_order_relaxed); }

  static constexpr unsigned kSteps = 8;
  static constexpr unsigned kSlots = kSteps * 62;
  static unsigned slot_of(std::uint64_t value);
  /// The middle of a slot's range.
  static std::uint64_t value_of(unsigned slot);

 private:
  friend class LatencySum;
  std::array<std::atomic<std::uint32_t>, kSlots> slots_{};
};

/// Several workers' histograms together.
class LatencySum {
 public:
  void add(const LatencyHistogram& histogram);
  /// `count` values that fell into `slot`, counted elsewhere.
  void add(unsigned slot, std::uint64_t count) {
    slots_[slot] += count;
    total_ += count;
  }
  std::uint64_t total() const { return total_; }
  /// `calls`: how many calls were made, of which the histograms hold a sample.
  LatencyQuantiles quantiles(std::uint64_t calls) const;

 private:
  std::uint64_t value_at(double fraction) const;
  std::array<std::uint64_t, LatencyHistogram::kSlots> slots_{};
  std::uint64_t total_ = 0;
};

/// Times a sample of one kind of call: the first, and every `Interval`th. One worker.
template <std::uint32_t Interval>
class LatencySampler {
 public:
  /// Inline: a frame around a system call is dear, see AttributeReader::read().
  template <class Clock, class Call>
  [[gnu::always_inline]] auto time(Clock&& now, Call&& call) {
    const std::uint64_t number = calls_.load(std::memory_order_relaxed);
    calls_.store(number + 1, std::memory_order_relaxed);  // one writer
    if (number % Interval != 0) return call();
    const std::uint64_t start = now();
    auto result = call();
    histogram_.add(now() - start);
    return result;
  }

  std::uint64_t calls() const { return calls_.load(std::memory_order_relaxed); }
  const LatencyHistogram& histogram() const { return histogram_; }

 private:
  std::atomic<std::uint64_t> calls_{0};
  LatencyHistogram histogram_;
};

}  // namespace pwalk
