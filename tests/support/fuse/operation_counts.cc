#include "operation_counts.h"

#include <algorithm>

namespace pwalk::fuse {

std::optional<Request> request_named(std::string_view name) {
  const auto found = std::find(kRequestNames.begin(), kRequestNames.end(), name);
  if (found == kRequestNames.end()) return std::nullopt;
  return Request(found - kRequestNames.begin());
}

OperationCounts::InFlight OperationCounts::begin(Request request) {
  served_[std::size_t(request)].fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t now = in_flight_.fetch_add(1, std::memory_order_relaxed) + 1;
  std::uint64_t most = max_in_flight_.load(std::memory_order_relaxed);
  while (now > most && !max_in_flight_.compare_exchange_weak(most, now, std::memory_order_relaxed)) {
  }
  return InFlight(*this);
}

std::string OperationCounts::json() const {
  std::string text = "{";
  for (std::size_t i = 0; i < kRequestNames.size(); ++i) {
    text += '"' + std::string(kRequestNames[i]) + "\": ";
    text += std::to_string(served_[i].load(std::memory_order_relaxed)) + ", ";
  }
  return text + "\"max_in_flight\": " + std::to_string(max_in_flight_.load(std::memory_order_relaxed)) + "}";
}

}  // namespace pwalk::fuse
