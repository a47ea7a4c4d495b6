#include "board.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "pwalk/base/cache_line.h"
#include "pwalk/schema/entry_batch_builder.h"
#include "pwalk/schema/entry_batch_view.h"

namespace pwalk::bench {

void Board::fail(const std::string& why) {
  problem.fill(0);
  std::copy_n(why.begin(), std::min(why.size(), problem.size() - 1), problem.begin());
}

Board& new_board() {
  void* memory =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return *new (memory) Board;
}

void Payload::stamp(std::uint64_t value) { std::memcpy(bytes.data() + stamp_at, &value, sizeof value); }

namespace {

/// 52 bytes in fixed columns and offsets, 12 in the name.
schema::Entry numbered_entry(std::uint64_t number, const std::string& name) {
  schema::Entry entry;
  entry.name = name;
  entry.known = schema::ColumnSet::all();
  entry.type = 'f';
  entry.inode = 1'000'000 + number;
  entry.size = number * 4096;
  entry.mtime = std::int64_t(1'700'000'000'000'000'000 + number);
  entry.atime = std::int64_t(1'700'000'000'000'000'000 + 3 * number);
  entry.mode = 0100644 + std::uint32_t(number % 8);
  entry.uid = 1000 + std::uint32_t(number % 7);
  entry.gid = 1000 + std::uint32_t(number % 5);
  return entry;
}

std::size_t offset_of(schema::Column column, std::span<const std::byte> batch) {
  // A view wants alignment.
  const std::unique_ptr<std::byte, void (*)(void*)> aligned(
      static_cast<std::byte*>(std::aligned_alloc(kCacheLine, align_up(batch.size(), kCacheLine))), std::free);
  std::memcpy(aligned.get(), batch.data(), batch.size());
  const auto view = schema::EntryBatchView::check({aligned.get(), batch.size()});
  if (!view) std::abort();
  return std::size_t(view->column(column).values - aligned.get());
}

}  // namespace

Payload entries_batch(std::uint32_t rows) {
  using schema::Column;
  schema::EntryBatchBuilder builder({Column::type, Column::inode, Column::size, Column::mtime, Column::atime,
                                     Column::mode, Column::uid, Column::gid},
                                    {.rows = 32767, .bytes = 1u << 20});
  builder.begin_directory("/bench/directory", 1);
  for (std::uint32_t row = 0; row < rows; ++row)
    if (!builder.append(numbered_entry(row, fmt::format("file-{:07}", row)))) std::abort();
  const schema::FinishedBatch done = builder.finish();
  Payload payload;
  payload.rows = done.rows;
  payload.records = done.records;
  payload.file_bytes = done.file_bytes;
  payload.content_hash = done.content_hash;
  payload.bytes.assign(done.bytes.begin(), done.bytes.end());
  payload.stamp_at = offset_of(Column::mtime, done.bytes);
  return payload;
}

Payload plain_message(std::size_t bytes) {
  Payload payload;
  payload.bytes.resize(bytes);
  for (std::size_t i = 0; i < bytes; ++i) payload.bytes[i] = std::byte(i * 7);
  return payload;
}

std::uint64_t word_at(std::span<const std::byte> bytes, std::size_t offset) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data() + offset, sizeof word);
  return word;
}

// As wide as the CPU loads: what comes from another core's cache is bounded by the
// loads in flight, and narrow ones get less than half of it. The same for everybody.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
std::uint64_t sum_words(std::span<const std::byte> bytes) {
  using Vector [[gnu::vector_size(64)]] = std::uint64_t;
  Vector even{}, odd{};
  std::size_t at = 0;
  for (; at + 2 * sizeof even <= bytes.size(); at += 2 * sizeof even) {
    Vector words[2];
    std::memcpy(words, bytes.data() + at, sizeof words);
    even += words[0];
    odd += words[1];
  }
  std::uint64_t total = 0;
  for (; at + 8 <= bytes.size(); at += 8) total += word_at(bytes, at);
  for (; at < bytes.size(); ++at) total += std::uint64_t(bytes[at]);
  even += odd;
  for (int i = 0; i < 8; ++i) total += even[i];
  return total;
}

}  // namespace pwalk::bench
