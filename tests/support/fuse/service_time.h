#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace pwalk::fuse {

/// How long a request takes at a server that works on `capacity` requests at
/// once, each for `delay`: below the capacity latency is flat, above it requests
/// stand in line, so throughput stays at capacity/delay while latency grows in
/// proportion to what is in flight. That knee is what a limiter has to find.
class ServiceTime {
 public:
  /// Before the first pass(). capacity 0: never a line.
  void configure(std::chrono::microseconds delay, unsigned capacity);

  /// Takes one request's time. Thread-safe.
  void pass();

 private:
  void enter();
  void leave();

  std::chrono::microseconds delay_{0};
  unsigned capacity_ = 0;
  std::mutex mutex_;
  std::condition_variable place_free_;
  unsigned busy_ = 0;
};

}  // namespace pwalk::fuse
