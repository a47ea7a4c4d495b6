#pragma once

#include <cstdint>

namespace pwalk {

/// How many threads should walk, worked out from what was seen while a number of
/// them did. A pure function of its windows: no clock, no threads, no I/O.
///
/// It climbs first: as long as more threads complete at least 5 % more calls the
/// number is doubled, and the last doubling that did not pay is taken back. Then it
/// keeps a queue of a few calls at the server, as TCP Vegas does: of L threads
/// L * (1 - least latency / latency) wait behind others; below three one eighth is
/// added, above six one eighth is taken away. Throughput has the last word on either:
/// an increase stays only if it pays 5 %, a decrease only if it costs less than that
/// of the best that was seen. Now and then half of the threads are tried for a window,
/// to see the least latency anew; if they do as much they stay.
///
/// One thread.
class ThreadController {
 public:
  struct Bounds {
    unsigned least = 1;  ///< never below
    unsigned start = 1;
    unsigned most = 1;   ///< never above; least <= start <= most
  };

  /// What happened while threads() were allowed.
  struct Window {
    std::uint64_t span_ns = 0;
    std::uint64_t calls = 0;       ///< completed
    std::uint64_t latency_ns = 0;  ///< median of those calls that waited for a server or a disk; 0: there were none
    unsigned busy = 0;             ///< threads that had work
    bool calls_sleep = true;       ///< false: calls do not wait for anything but a CPU, so more threads cannot help
    bool distress = false;         ///< time-outs, stalls, I/O errors: halve
  };

  explicit ThreadController(const Bounds& bounds) : bounds_(bounds), threads_(bounds.start) {}

  /// Looks at a window and decides for the next. Returns threads().
  unsigned step(const Window& window);

  unsigned threads() const { return threads_; }
  /// How long the next window should be: several latencies.
  std::uint64_t window_ns() const;
  /// Why there are so many; a phrase for people.
  const char* reason() const { return reason_; }

 private:
  enum class Phase : unsigned char { climbing, steady };

  void judge(double rate);
  void climb(double rate);
  void steer(double rate);
  void probe(double rate);
  void change_to(unsigned threads, double rate, const char* reason);
  void note(const Window& window, double rate);
  double queued() const;

  const Bounds bounds_;
  unsigned threads_;
  Phase phase_ = Phase::climbing;
  unsigned before_ = 0;       ///< the number on trial came from this one; 0: none is on trial
  double rate_before_ = 0;    ///< calls per ns before it
  bool probing_ = false;      ///< what is on trial is half, to see the least latency
  double best_rate_ = 0;      ///< forgets slowly: what the server can do may change
  std::uint64_t least_latency_ns_ = 0;
  std::uint64_t latency_ns_ = 0;
  unsigned windows_ = 0;      ///< since the last probe
  unsigned patience_ = 0;     ///< windows until the next attempt to grow
  unsigned setbacks_ = 0;     ///< attempts in a row that did not pay
  const char* reason_ = "as the profile starts";
};

}  // namespace pwalk
