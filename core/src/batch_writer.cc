#include "batch_writer.h"

namespace pwalk {

BatchWriter::BatchWriter(unsigned worker, const ScanPlan& plan, BatchSink& sink, const sys::Calls& calls,
                         WorkerStats& stats)
    : worker_(worker),
      sink_(sink),
      calls_(calls),
      stats_(stats),
      most_bytes_(sink.max_batch_bytes()),
      age_limit_ns_(std::uint64_t{plan.options.batch.batch_age_ms} * 1'000'000),
      builder_(plan.columns, plan.batch_limits(sink.max_batch_bytes())) {}

void BatchWriter::enter(std::string_view path, std::uint64_t inode) {
  path_ = path;
  inode_ = inode;
  begun_ = false;
}

bool BatchWriter::append(const schema::Entry& entry) {
  return put(entry.name.size(), [&] { return builder_.append(entry); });
}

bool BatchWriter::close(const schema::DirectoryRecord& record) {
  return put(0, [&] { return builder_.end_directory(record); });
}

template <class Put>
bool BatchWriter::put(std::size_t name_bytes, Put&& put_once) {
  if (stopped_) return true;
  if (!can_carry(path_.size(), name_bytes)) return false;
  if (!begun_) begin();
  if (!put_once()) {  // full, or this row is large: an empty batch takes any
    flush();
    begin();
    if (!put_once()) return false;
  }
  if (started_ns_ == 0) started_ns_ = calls_.coarse_ns();
  return true;
}

void BatchWriter::begin() {
  builder_.begin_directory(path_, inode_);
  begun_ = true;
}

void BatchWriter::flush() {
  started_ns_ = 0;
  begun_ = false;
  if (stopped_ || builder_.empty()) return;
  const schema::FinishedBatch batch = builder_.finish();
  if (!sink_.accept(worker_, batch)) {
    stopped_ = true;
    return;
  }
  stats_.batches.store(stats_.batches.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void BatchWriter::flush_if_old() {
  if (started_ns_ != 0 && calls_.coarse_ns() - started_ns_ >= age_limit_ns_) flush();
}

}  // namespace pwalk
