#pragma once

#include <atomic>
#include <cstdint>

namespace pwalk {

/// A directory's descriptor, shared by whoever needs it open just now. Closed, or
/// open with a number of pins; only an open one without pins can be given back.
/// One word, so that a pin and a give-back can never both succeed.
///
///   closed --install--> open, 1 pin <--try_pin/unpin--> open, 0 pins --take_idle--> closed
class DescriptorLease {
 public:
  /// The descriptor with one more pin, or -1 if closed.
  int try_pin() {
    // Acquire, with install() (the node's identity is settled) and with
    // take_idle() (whoever finds it closed sees the shelf it was taken from).
    std::uint64_t word = word_.load(std::memory_order_acquire);
    while (is_open(word))
      if (word_.compare_exchange_weak(word, word + 1, std::memory_order_acquire, std::memory_order_acquire))
        return descriptor(word);
    return -1;
  }

  /// Closed becomes open with one pin, the caller's. False: somebody was faster.
  bool install(int fd) {
    std::uint64_t closed = 0;
    // Release, with try_pin().
    return word_.compare_exchange_strong(closed, (std::uint64_t(fd) + 1) << 32 | 1, std::memory_order_acq_rel,
                                         std::memory_order_relaxed);
  }

  /// Requires a pin. Release, with take_idle(): our use of the descriptor comes before its close.
  void unpin() { word_.fetch_sub(1, std::memory_order_release); }

  /// Open without pins becomes closed; returns the descriptor to close, or -1.
  int take_idle() {
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    if (!is_open(word) || pins(word) != 0) return -1;
    // Acquire, with unpin(); release, with try_pin().
    return word_.compare_exchange_strong(word, 0, std::memory_order_acq_rel, std::memory_order_relaxed)
               ? descriptor(word)
               : -1;
  }

 private:
  static bool is_open(std::uint64_t word) { return word >> 32 != 0; }
  static std::uint32_t pins(std::uint64_t word) { return std::uint32_t(word); }
  static int descriptor(std::uint64_t word) { return int((word >> 32) - 1); }

  std::atomic<std::uint64_t> word_{0};  ///< descriptor + 1 (0: closed) << 32 | pins
};

}  // namespace pwalk
