#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>

#include "atomics.h"
#include "pwalk/ipc/scan_figures.h"

/// A sequence lock over ScanFigures in shared memory: one writer that never waits,
/// readers that read again when they were overtaken.
///
///   scanner                               consumer
///   version = odd                         version (acquire)
///   words (release, each)      ──────►    words (acquire, each)
///   version = even (release)              version again: the same, and even?
///
/// Who reads a word of a later writing has acquired the odd version before it and
/// cannot miss it in the second look. No fences, which ThreadSanitizer does not know.
namespace pwalk::ipc {

inline constexpr std::size_t kFigureWords = sizeof(ScanFigures) / sizeof(std::uint64_t);
static_assert(sizeof(ScanFigures) % sizeof(std::uint64_t) == 0);

template <class Atomics>
struct FiguresPage {
  typename Atomics::template Word<std::uint64_t> version;  ///< odd while it is written; 0: nothing was told
  std::array<typename Atomics::template Word<std::uint64_t>, kFigureWords> words;
};

/// Scanner, one thread at a time.
template <class Atomics>
void write_figures(FiguresPage<Atomics>& page, const ScanFigures& figures) {
  const auto values = std::bit_cast<std::array<std::uint64_t, kFigureWords>>(figures);
  const std::uint64_t version = Atomics::load_relaxed(page.version);
  Atomics::store_relaxed(page.version, version + 1);
  for (std::size_t i = 0; i < kFigureWords; ++i) Atomics::store_release(page.words[i], values[i]);
  Atomics::store_release(page.version, version + 2);
}

/// Consumer. nullopt: nothing was told yet, or the scanner died, or was stopped for as long, while it wrote.
template <class Atomics>
std::optional<ScanFigures> read_figures(const FiguresPage<Atomics>& page) {
  using Clock = std::chrono::steady_clock;
  constexpr int kAttempts = 1000;
  constexpr std::chrono::milliseconds kPatience{100};  // on a busy machine one attempt may take as long
  std::array<std::uint64_t, kFigureWords> values;
  const auto since = Clock::now();
  for (int attempt = 0; attempt == 0 || (attempt < kAttempts && Clock::now() - since < kPatience); ++attempt) {
    const std::uint64_t before = Atomics::load_acquire(page.version);
    if (before == 0) return std::nullopt;
    for (std::size_t i = 0; i < kFigureWords; ++i) values[i] = Atomics::load_acquire(page.words[i]);
    if (before % 2 == 0 && Atomics::load_relaxed(page.version) == before) {
      return std::bit_cast<ScanFigures>(values);
    }
    std::this_thread::yield();
  }
  return std::nullopt;
}

}  // namespace pwalk::ipc
