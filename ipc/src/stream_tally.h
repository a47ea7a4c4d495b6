#pragma once

#include "pwalk/ipc/consumer.h"
#include "pwalk/schema/row_hash.h"

namespace pwalk::ipc {

/// What a consumer of an image has read so far.
struct StreamTally {
  ConsumerStats stats;

  /// False: the rows do not have the hash that the batch states.
  bool add(const schema::EntryBatchView& view, bool verify_rows) {
    if (verify_rows && schema::hash_rows(view) != view.content_hash()) return false;
    ++stats.batches;
    stats.rows += view.rows();
    stats.directories += view.record_count();
    stats.errors += schema::count_errors(view);
    stats.content_hash += view.content_hash();
    if (__builtin_add_overflow(stats.file_bytes, view.file_bytes(), &stats.file_bytes)) stats.file_bytes = ~std::uint64_t{0};
    return true;
  }
};

}  // namespace pwalk::ipc
