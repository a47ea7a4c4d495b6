#include "commands/entry_stream.h"

#include <unistd.h>

#include "formats/failure_lines.h"
#include "process/message.h"
#include "process/signals.h"

namespace pwalk::tools {
namespace {

constexpr std::chrono::milliseconds kSlice{100};

bool told_to_stop() { return stop_requests() > 0; }

}  // namespace

EntryStream::EntryStream(const WriterOptions& writer, int fd, Flushing flushing)
    : writer_(make_entry_writer(writer)), output_(fd, told_to_stop), flushing_(flushing) {
  writer_->begin(output_.buffer());
}

Result<void> EntryStream::copy(ipc::Consumer& consumer) {
  Result<void> outcome;
  while (outcome && !reader_gone()) {
    if (told_to_stop()) {
      outcome = fail(EINTR, "reading the scan");
      break;
    }
    const auto more = copy_next(consumer);
    if (!more) outcome = tl::unexpected(more.error());
    if (more && !*more) break;
  }
  if (!outcome && outcome.error().code == EINTR) return outcome;
  writer_->finish(output_.buffer());
  const auto flushed = output_.flush();
  return outcome ? flushed : outcome;
}

/// One batch, or a slice of waiting for it. False: the stream is over.
Result<bool> EntryStream::copy_next(ipc::Consumer& consumer) {
  auto lease = consumer.next(std::chrono::milliseconds(0));
  if (lease && !*lease) {
    if (auto flushed = output_.flush(); !flushed) return tl::unexpected(flushed.error());
    lease = consumer.next(kSlice);
  }
  if (!lease) return tl::unexpected(lease.error());
  if (!*lease) return consumer.end() == ipc::StreamEnd::running;
  if (auto written = write((*lease)->view()); !written) return tl::unexpected(written.error());
  return true;
}

Result<void> EntryStream::write(const schema::EntryBatchView& batch) {
  writer_->write(batch, output_.buffer());
  append_failure_lines(batch, failures_);
  if (!failures_.empty()) {
    write_all(STDERR_FILENO, failures_);
    failures_.clear();
  }
  return flushing_ == Flushing::each_batch ? output_.flush() : output_.flush_if_full();
}

}  // namespace pwalk::tools
