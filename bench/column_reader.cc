// A consumer that reads every byte of every column of a live scan, and nothing else.
//
//   column_reader [--verify] SCAN          --verify: recompute the content hash from the rows, as consumers do by default
//
// Prints one line of JSON. Links pwalk::ipc alone, as any consumer program does.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string_view>

#include "pwalk/ipc/consumer.h"

namespace {

using pwalk::schema::ColumnView;
using pwalk::schema::EntryBatchView;

/// Sum of the words a range starts with; any tail is added byte by byte.
std::uint64_t sum_bytes(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0;
  std::size_t at = 0;
  for (std::uint64_t word; at + sizeof word <= bytes.size(); at += sizeof word) {
    std::memcpy(&word, bytes.data() + at, sizeof word);
    sum += word;
  }
  for (; at < bytes.size(); ++at) sum += std::uint64_t(bytes[at]);
  return sum;
}

template <class T>
std::uint64_t sum_of(std::span<const T> values) {
  return sum_bytes(std::as_bytes(values));
}

std::uint64_t read_column(const ColumnView& column, std::uint32_t rows) {
  const std::size_t elements = column.constant ? 1 : rows;
  std::uint64_t sum = sum_bytes({column.values, elements * column.width});
  if (column.valid != nullptr) sum += sum_of(std::span(column.valid, (std::size_t(rows) + 7) / 8));
  return sum;
}

std::uint64_t read_batch(const EntryBatchView& batch) {
  std::uint64_t sum = sum_of(batch.name_offsets()) + sum_of(batch.directory_index()) +
                      sum_of(std::span<const char>(batch.name_bytes()));
  for (const auto& spec : pwalk::schema::kColumns)
    if (const ColumnView& column = batch.column(spec.id)) sum += read_column(column, batch.rows());
  return sum;
}

int give_up(const pwalk::Error& error) {
  std::fprintf(stderr, "column_reader: %s\n", error.message().c_str());
  return 3;
}

}  // namespace

int main(int argc, char** argv) {
  const bool verify = argc == 3 && std::string_view(argv[1]) == "--verify";
  if (argc != 2 && !verify) {
    std::fprintf(stderr, "usage: column_reader [--verify] SCAN\n");
    return 2;
  }
  pwalk::ipc::AttachOptions options;
  options.scan = argv[argc - 1];
  options.timeout = std::chrono::seconds(60);
  options.verify_rows = verify;
  auto consumer = pwalk::ipc::Consumer::attach(options);
  if (!consumer) return give_up(consumer.error());

  std::uint64_t sum = 0;
  while (consumer->end() == pwalk::ipc::StreamEnd::running) {
    auto lease = consumer->next(std::chrono::seconds(1));
    if (!lease) return give_up(lease.error());
    if (*lease) sum += read_batch((*lease)->view());
  }
  const auto stats = consumer->stats();
  std::printf("{\"rows\": %lu, \"batches\": %lu, \"waited_seconds\": %.6f, \"sum\": %lu}\n", stats.rows, stats.batches,
              double(stats.waited_ns) / 1e9, sum);
  return consumer->end() == pwalk::ipc::StreamEnd::complete ? 0 : 3;
}
