#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "pwalk/schema/entry.h"

namespace pwalk::schema {

/// A serialised batch and what its sink needs to know of it. Borrowed from the
/// builder: valid until the builder is used again.
struct FinishedBatch {
  std::span<const std::byte> bytes;  ///< place it at a 64-byte-aligned address
  std::uint32_t rows = 0;
  std::uint32_t records = 0;
  std::uint64_t file_bytes = 0;    ///< as EntryBatchView::file_bytes()
  std::uint64_t content_hash = 0;  ///< see row_hash.h
};

/// When a batch is full.
struct BatchLimits {
  std::uint32_t rows = 4096;       ///< at most kMaxRows
  std::size_t bytes = 252 * 1024;  ///< aim of the serialised size; one huge row may exceed it
};

/// Rows in, columns out. Keeps its buffers from batch to batch. One thread.
///
/// Protocol: begin_directory, then append for its entries, then end_directory
/// when it is done; a directory may be begun again later (it was suspended, or
/// the batch was flushed in the middle): it then gets another table row.
/// append and end_directory refuse, and change nothing, when the batch would
/// exceed its limits; then flush with finish(), begin the directory again and
/// repeat the call. An empty batch refuses nothing, so a row that is larger than
/// the limits travels alone:
///
///     while (!builder.append(entry)) {
///       publish(builder.finish());
///       builder.begin_directory(path, inode);
///     }
class EntryBatchBuilder {
 public:
  static constexpr std::uint32_t kMaxRows = 32767;  ///< directory numbers are int16

  EntryBatchBuilder(ColumnSet columns, BatchLimits limits);
  ~EntryBatchBuilder();
  EntryBatchBuilder(EntryBatchBuilder&&) noexcept;

  /// The rows that follow lie in `path` (absolute, no trailing slash; empty for
  /// `/`), whose own inode is `inode` (0: not known). Costs one comparison with
  /// the previous path; a directory without rows or record leaves no trace.
  void begin_directory(std::string_view path, std::uint64_t inode);

  /// Adds a row to the current directory; false if it does not fit. Requires
  /// begin_directory since the last finish() or end_directory().
  [[nodiscard]] bool append(const Entry& entry);

  /// Closes the current directory with its record; false if it does not fit. It
  /// always fits where the directory has a row in this batch.
  [[nodiscard]] bool end_directory(const DirectoryRecord& record);

  bool empty() const;  ///< neither rows nor records
  bool full() const;   ///< no row fits any more: a good moment to flush
  std::uint32_t rows() const;

  /// Serialises and forgets what was appended. The current directory ends with
  /// it: begin it again to go on. Requires !empty().
  FinishedBatch finish();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace pwalk::schema
