// What schema costs per entry: appending, finishing (content hash and FlatBuffer),
// checking and hashing at the reader's end. Rows look like a home directory's:
// 20 entries per directory, names of 12 bytes, one file system, one user.
#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "pwalk/schema/entry_batch_builder.h"
#include "pwalk/schema/entry_batch_view.h"
#include "pwalk/schema/row_hash.h"

namespace {

using namespace pwalk::schema;

constexpr std::size_t kEntries = 65536, kPerDirectory = 20;

struct Sample {
  std::vector<Entry> entries;
  std::vector<std::string> names, directories;
};

Entry plausible_entry(std::mt19937_64& random) {
  Entry entry;
  entry.known = ColumnSet::all();
  entry.type = random() % 10 ? 'f' : 'd';
  entry.inode = 1000000 + random() % 10000000;
  entry.device = 0x803;
  entry.size = random() % 100000;
  entry.blocks = entry.size / 512;
  entry.mode = entry.type == 'd' ? 040755 : 0100644;
  entry.nlink = entry.type == 'd' ? 2 : 1;
  entry.uid = entry.gid = 1000;
  entry.atime = entry.mtime = entry.ctime = entry.btime =
      std::int64_t(1700000000000000000 + random() % 1000000000000);
  entry.mount_id = 31;
  entry.depth = 3 + std::uint32_t(random() % 5);
  return entry;
}

/// Rows of which nobody knows the `unknown` columns, as btime on a file system without it.
Sample make_sample(ColumnSet unknown) {
  Sample sample;
  std::mt19937_64 random(1);
  for (std::size_t i = 0; i < kEntries; ++i) {
    if (i % kPerDirectory == 0) {
      sample.directories.push_back("/home/someone/projects/group-" + std::to_string(random() % 100) +
                                   "/part-" + std::to_string(i / kPerDirectory) + "/source");
    }
    sample.names.push_back("entry-" + std::to_string(100000 + random() % 900000));
    sample.entries.push_back(plausible_entry(random));
    sample.entries.back().known = ColumnSet::all() - unknown;
  }
  for (std::size_t i = 0; i < kEntries; ++i) sample.entries[i].name = sample.names[i];
  return sample;
}

const Sample& sample() {
  static const Sample made = make_sample({});
  return made;
}

ColumnSet all_but_one() {  // what a scan fetches: 18 columns
  ColumnSet columns = ColumnSet::all();
  columns.erase(Column::rdev);
  return columns;
}

template <class Take>
void fill(EntryBatchBuilder& builder, const Sample& rows, Take take) {
  for (std::size_t i = 0; i < kEntries; ++i) {
    const std::string& directory = rows.directories[i / kPerDirectory];
    if (i % kPerDirectory == 0) builder.begin_directory(directory, i);
    while (!builder.append(rows.entries[i])) {
      take(builder.finish());
      builder.begin_directory(directory, i);
    }
    if (i % kPerDirectory == kPerDirectory - 1) benchmark::DoNotOptimize(builder.end_directory({}));
  }
  take(builder.finish());
}

void per_entry(benchmark::State& state, std::size_t entries) {
  using benchmark::Counter;
  state.counters["per_entry"] =
      Counter(double(entries) * double(state.iterations()), Counter::kIsRate | Counter::kInvert);
}

/// Appending alone: batches of `rows` rows that are finished outside the clock.
void BM_Append(benchmark::State& state) {
  constexpr std::size_t kRows = 2000;
  EntryBatchBuilder builder(all_but_one(), {.rows = 4096, .bytes = std::size_t{1} << 20});
  const Sample& rows = sample();
  for (auto _ : state) {
    for (std::size_t i = 0; i < kRows; ++i) {
      if (i % kPerDirectory == 0) builder.begin_directory(rows.directories[i / kPerDirectory], i);
      benchmark::DoNotOptimize(builder.append(rows.entries[i]));
    }
    state.PauseTiming();
    benchmark::DoNotOptimize(builder.finish());
    state.ResumeTiming();
  }
  per_entry(state, kRows);
}
BENCHMARK(BM_Append);

void append_and_finish(benchmark::State& state, const Sample& rows) {
  EntryBatchBuilder builder(all_but_one(), {});
  std::size_t batches = 0, bytes = 0;
  for (auto _ : state) {
    batches = bytes = 0;
    fill(builder, rows, [&](const FinishedBatch& batch) {
      ++batches;
      bytes += batch.bytes.size();
      benchmark::DoNotOptimize(batch.content_hash);
    });
  }
  per_entry(state, kEntries);
  state.counters["rows_per_batch"] = double(kEntries) / double(batches);
  state.counters["bytes_per_row"] = double(bytes) / double(kEntries);
}

void BM_AppendAndFinish(benchmark::State& state) {
  append_and_finish(state, sample());
}
BENCHMARK(BM_AppendAndFinish);

void BM_AppendAndFinishWithoutBtime(benchmark::State& state) {
  static const Sample rows = make_sample({Column::btime});
  append_and_finish(state, rows);
}
BENCHMARK(BM_AppendAndFinishWithoutBtime);

/// Batches as a consumer meets them, one after the other in aligned memory.
struct Received {
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<std::vector<Line>> batches;

  Received() {
    EntryBatchBuilder builder(all_but_one(), {});
    fill(builder, sample(), [&](const FinishedBatch& batch) {
      batches.emplace_back(batch.bytes.size() / sizeof(Line));
      std::memcpy(batches.back().data(), batch.bytes.data(), batch.bytes.size());
    });
  }
};

template <class Use>
void over_batches(benchmark::State& state, Use use) {
  const Received received;
  for (auto _ : state)
    for (const auto& batch : received.batches) use(std::as_bytes(std::span(batch)));
  per_entry(state, kEntries);
}

void BM_Check(benchmark::State& state) {
  over_batches(state, [](auto bytes) { benchmark::DoNotOptimize(EntryBatchView::check(bytes)); });
}
BENCHMARK(BM_Check);

void BM_CheckAndHash(benchmark::State& state) {
  over_batches(state, [](auto bytes) { benchmark::DoNotOptimize(hash_rows(*EntryBatchView::check(bytes))); });
}
BENCHMARK(BM_CheckAndHash);

void BM_Paths(benchmark::State& state) {
  std::string path;
  over_batches(state, [&](auto bytes) {
    const EntryBatchView view = *EntryBatchView::check(bytes);
    for (std::uint32_t row = 0; row < view.rows(); ++row) {
      path.clear();
      view.append_path(row, path);
      benchmark::DoNotOptimize(path.data());
    }
  });
}
BENCHMARK(BM_Paths);

}  // namespace
