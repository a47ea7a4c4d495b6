#include "lane_sink.h"

namespace pwalk::publish {

Result<void> LaneSink::accept(unsigned worker, const schema::FinishedBatch& batch) {
  ipc::OutgoingBatch outgoing;
  outgoing.bytes = batch.bytes;
  outgoing.rows = batch.rows;
  outgoing.records = batch.records;
  outgoing.file_bytes = batch.file_bytes;
  outgoing.content_hash = batch.content_hash;
  return session_.publish(worker, outgoing);
}

}  // namespace pwalk::publish
