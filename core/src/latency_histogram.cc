#include "latency_histogram.h"

#include <bit>

namespace pwalk {

// Values below 8 have a slot each; above, the top four bits choose it.
unsigned LatencyHistogram::slot_of(std::uint64_t value) {
  if (value < kSteps) return unsigned(value);
  const unsigned shift = unsigned(std::bit_width(value)) - 4;
  return (shift + 1) * kSteps + unsigned(value >> shift) - kSteps;
}

std::uint64_t LatencyHistogram::value_of(unsigned slot) {
  if (slot < kSteps) return slot;
  const unsigned shift = slot / kSteps - 1;
  const std::uint64_t low = std::uint64_t(slot % kSteps + kSteps) << shift;
  return low + ((std::uint64_t{1} << shift) >> 1);
}

void LatencySum::add(const LatencyHistogram& histogram) {
  for (unsigned slot = 0; slot < LatencyHistogram::kSlots; ++slot) {
    const std::uint64_t count = histogram.slots_[slot].load(std::memory_order_relaxed);
    slots_[slot] += count;
    total_ += count;
  }
}

std::uint64_t LatencySum::value_at(double fraction) const {
  const auto rank = std::uint64_t(fraction * double(total_ - 1));
  std::uint64_t seen = 0;
  for (unsigned slot = 0; slot < LatencyHistogram::kSlots; ++slot) {
    seen += slots_[slot];
    if (seen > rank) return LatencyHistogram::value_of(slot);
  }
  return 0;
}

LatencyQuantiles LatencySum::quantiles(std::uint64_t calls) const {
  if (total_ == 0) return {0, 0, calls};
  return {value_at(0.5), value_at(0.99), calls};
}

}  // namespace pwalk
