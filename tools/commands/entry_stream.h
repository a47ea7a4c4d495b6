#pragma once

#include <memory>
#include <string>

#include "formats/entry_writer.h"
#include "pwalk/ipc/consumer.h"
#include "text/byte_output.h"

namespace pwalk::tools {

/// When output is written, besides whenever nothing is at hand.
enum class Flushing : std::uint8_t { when_full, each_batch };

/// From a consumer to a descriptor: rows in a format, failures on stderr.
class EntryStream {
 public:
  EntryStream(const WriterOptions& writer, int fd, Flushing flushing = Flushing::when_full);

  /// Copies until the stream or its reader ends; output is flushed whenever
  /// nothing is at hand, so a slow scan still shows. Errors: EINTR, told to stop;
  /// those of Consumer::next() and of writing. What was read before an error is
  /// written all the same.
  Result<void> copy(ipc::Consumer& consumer);

  /// Whoever read the output has closed it (`| head`).
  bool reader_gone() const { return output_.reader_gone(); }

 private:
  Result<bool> copy_next(ipc::Consumer& consumer);
  Result<void> write(const schema::EntryBatchView& batch);

  std::unique_ptr<EntryWriter> writer_;
  ByteOutput output_;
  const Flushing flushing_;
  std::string failures_;
};

}  // namespace pwalk::tools
