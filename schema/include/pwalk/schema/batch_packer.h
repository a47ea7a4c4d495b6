#pragma once

#include <string_view>

#include "pwalk/schema/entry_batch_builder.h"

namespace pwalk::schema {

/// Fills batches with the rows of one directory after the other: a full batch is handed out, its
/// directory begun again, and the row put into the next one. `hand_out(const FinishedBatch&)` is
/// called with each; the batch is borrowed as the builder says. One thread.
class BatchPacker {
 public:
  BatchPacker(ColumnSet columns, BatchLimits limits) : builder_(columns, limits) {}

  /// What follows lies in the directory `path`, borrowed until the next call.
  void enter(std::string_view path, std::uint64_t inode) {
    path_ = path;
    inode_ = inode;
    begun_ = false;
  }
  std::string_view path() const { return path_; }

  /// False: not even an empty batch takes it.
  template <class HandOut>
  [[nodiscard]] bool append(const Entry& entry, HandOut&& hand_out) {
    return put([&] { return builder_.append(entry); }, hand_out);
  }
  /// Ends the directory with its record. Likewise.
  template <class HandOut>
  [[nodiscard]] bool close(const DirectoryRecord& record, HandOut&& hand_out) {
    return put([&] { return builder_.end_directory(record); }, hand_out);
  }

  /// Hands out what there is.
  template <class HandOut>
  void flush(HandOut&& hand_out) {
    begun_ = false;
    if (!builder_.empty()) hand_out(builder_.finish());
  }

 private:
  template <class Put, class HandOut>
  bool put(Put&& put_once, HandOut& hand_out) {
    if (!begun_) begin();
    if (put_once()) return true;
    flush(hand_out);  // full, or this row is large: an empty batch takes any
    begin();
    return put_once();
  }
  void begin() {
    builder_.begin_directory(path_, inode_);
    begun_ = true;
  }

  EntryBatchBuilder builder_;
  std::string_view path_;
  std::uint64_t inode_ = 0;
  bool begun_ = false;  ///< the builder knows path_
};

}  // namespace pwalk::schema
