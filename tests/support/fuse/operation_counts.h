#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pwalk::fuse {

/// The requests of the FUSE protocol that a scan can cause.
enum class Request : std::uint8_t {
  lookup,
  getattr,
  opendir,
  readdir,
  readdirplus,
  readlink,
  getxattr,
  ioctl
};

inline constexpr std::array<std::string_view, 8> kRequestNames{
    "lookup", "getattr", "opendir", "readdir", "readdirplus", "readlink", "getxattr", "ioctl"};

constexpr std::string_view name_of(Request request) {
  return kRequestNames[std::size_t(request)];
}

/// nullopt: no request is called so.
std::optional<Request> request_named(std::string_view name);

/// How many requests of each kind arrived, and how many were being served at
/// once. Thread-safe; relaxed throughout, since nothing is published through it.
class OperationCounts {
 public:
  /// One request being served: counted when made, no longer in flight when destroyed.
  class InFlight {
   public:
    explicit InFlight(OperationCounts& counts) : counts_(counts) {}
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;
    ~InFlight() { counts_.in_flight_.fetch_sub(1, std::memory_order_relaxed); }

   private:
    OperationCounts& counts_;
  };

  [[nodiscard]] InFlight begin(Request request);

  /// {"lookup": 3, ..., "max_in_flight": 2}, one line.
  std::string json() const;

 private:
  std::array<std::atomic<std::uint64_t>, kRequestNames.size()> served_{};
  std::atomic<std::uint64_t> in_flight_{0};
  std::atomic<std::uint64_t> max_in_flight_{0};
};

}  // namespace pwalk::fuse
