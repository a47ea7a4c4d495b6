#pragma once

#include <atomic>
#include <cstdint>

namespace pwalk {

/// A directory's descriptor, shared by whoever needs it open just now. Closed, or
/// open with a number of pins; only an open one without pins can be given back.
/// One word, so that a pin and a give-back can never both succeed, and so that whoever
/// finds it open also finds whether it was opened again meanwhile.
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

  enum class Opening : unsigned char { first, again };

  /// Closed becomes open with one pin, the caller's. False: somebody was faster.
  bool install(int fd, Opening opening) {
    std::uint64_t closed = 0;
    const std::uint64_t place = opening == Opening::again ? kLostPlace : 0;
    // Release, with try_pin().
    return word_.compare_exchange_strong(closed, (std::uint64_t(fd) + 1) << 32 | place | 1, std::memory_order_acq_rel,
                                         std::memory_order_relaxed);
  }

  /// The reader, who has it pinned: it stands where he stopped reading.
  void keep_place() { word_.fetch_and(~kLostPlace, std::memory_order_relaxed); }
  /// Likewise: it was given back and opened again since keep_place(), so it stands at its start.
  bool lost_place() const { return (word_.load(std::memory_order_relaxed) & kLostPlace) != 0; }

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
  static constexpr std::uint64_t kLostPlace = std::uint64_t{1} << 31;

  static bool is_open(std::uint64_t word) { return word >> 32 != 0; }
  static std::uint32_t pins(std::uint64_t word) { return std::uint32_t(word & ~kLostPlace); }
  static int descriptor(std::uint64_t word) { return int((word >> 32) - 1); }

  std::atomic<std::uint64_t> word_{0};  ///< descriptor + 1 (0: closed) << 32 | kLostPlace | pins
};

}  // namespace pwalk
