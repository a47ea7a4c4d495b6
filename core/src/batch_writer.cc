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
      packer_(plan.columns, plan.batch_limits(sink.max_batch_bytes())) {}

bool BatchWriter::append(const schema::Entry& entry) {
  return put(entry.name.size(), [&](auto&& hand_over) { return packer_.append(entry, hand_over); });
}

bool BatchWriter::close(const schema::DirectoryRecord& record) {
  return put(0, [&](auto&& hand_over) { return packer_.close(record, hand_over); });
}

template <class Put>
bool BatchWriter::put(std::size_t name_bytes, Put&& put_row) {
  if (stopped_) return true;
  if (!can_carry(packer_.path().size(), name_bytes)) return false;
  if (!put_row([this](const schema::FinishedBatch& batch) { hand_over(batch); })) return false;
  if (started_ns_ == 0) started_ns_ = calls_.coarse_ns();
  return true;
}

void BatchWriter::flush() {
  started_ns_ = 0;
  if (!stopped_) packer_.flush([this](const schema::FinishedBatch& batch) { hand_over(batch); });
}

void BatchWriter::hand_over(const schema::FinishedBatch& batch) {
  started_ns_ = 0;
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
