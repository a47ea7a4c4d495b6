#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// What the processes of one case share: a page of words, and when is now.
namespace pwalk::bench {

inline std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

constexpr unsigned kMostReaders = 16;
constexpr unsigned kMostLatencies = 4096;

/// What one reader saw. Written by it, read by the sender once it has ended,
/// except `acknowledged`, by which the two take turns when latency is measured.
struct alignas(128) ReaderReport {
  std::atomic<std::uint64_t> acknowledged{0};  ///< messages; release by the reader, acquire by the sender
  std::uint64_t messages = 0, bytes = 0, sum = 0;
  std::int64_t first_ns = 0, last_ns = 0;
  std::array<std::uint32_t, kMostLatencies> latencies_ns{};
};

struct Board {
  std::atomic<unsigned> ready{0};  ///< readers that wait for the first message; release / acquire
  alignas(128) std::atomic<bool> closed{false};  ///< no more messages, for channels without such a thing
  std::array<ReaderReport, kMostReaders> readers;
  // What the whole case amounted to.
  double value = 0;
  double p99 = 0;
  std::array<char, 160> problem{};  ///< why there is no value

  void fail(const std::string& why);
};

/// A Board in memory that forked processes share.
Board& new_board();

/// One message to carry: its bytes, and where eight of them may be stamped.
struct Payload {
  std::vector<std::byte> bytes;
  std::size_t stamp_at = 0;
  std::uint32_t rows = 0, records = 0;  ///< what pwalk says beside a batch
  std::uint64_t file_bytes = 0, content_hash = 0;

  void stamp(std::uint64_t value);
};

/// A batch of `rows` entries, 64 bytes each in its columns.
Payload entries_batch(std::uint32_t rows);
/// Bytes and nothing else.
Payload plain_message(std::size_t bytes);

/// Reads every byte.
std::uint64_t sum_words(std::span<const std::byte> bytes);
std::uint64_t word_at(std::span<const std::byte> bytes, std::size_t offset);

}  // namespace pwalk::bench
