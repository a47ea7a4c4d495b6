#pragma once

#include "pwalk/batch_sink.h"
#include "pwalk/ipc/scan_session.h"

namespace pwalk::publish {

/// A walk's batches, published to a scan's consumers. Thread-safe as BatchSink
/// asks: ScanSession::publish() is called by every worker at once.
class LaneSink final : public BatchSink {
 public:
  /// `session` outlives the sink.
  explicit LaneSink(ipc::ScanSession& session) : session_(session) {}

  Result<void> accept(unsigned worker, const schema::FinishedBatch& batch) override;
  std::size_t max_batch_bytes() const override { return session_.max_batch_bytes(); }

 private:
  ipc::ScanSession& session_;
};

}  // namespace pwalk::publish
