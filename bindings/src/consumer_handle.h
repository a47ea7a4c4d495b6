#pragma once

#include <memory>
#include <optional>

#include "shared_consumer.h"

namespace pwalk::bindings {

/// A SharedConsumer as Python's Consumer holds it: failures are Python exceptions, and waits release
/// the GIL. All methods need it.
class ConsumerHandle {
 public:
  /// Waits at most options.timeout for the scan to appear. Raises as translate_errors.h says, and
  /// MissedEntries.
  static ConsumerHandle attach(ipc::AttachOptions options);

  /// The next batch; null when the stream has ended by the scanner's own word. Raises TimeoutError
  /// when nothing came in time (nullopt: waits as long as it takes), ScannerDied after the last batch
  /// of a scanner that died, Evicted, ProtocolError, PwalkError in a forked child, ValueError once
  /// closed, and whatever a signal's handler raises.
  std::shared_ptr<const HeldBatch> next(std::optional<std::chrono::milliseconds> timeout);

  void close();
  /// See SharedConsumer::fileno.
  int fileno();

  const std::shared_ptr<SharedConsumer>& consumer() const { return consumer_; }

 private:
  explicit ConsumerHandle(std::shared_ptr<SharedConsumer> consumer) : consumer_(std::move(consumer)) {}

  std::shared_ptr<const HeldBatch> hand_out(SharedConsumer::Next next);

  std::shared_ptr<SharedConsumer> consumer_;
};

}  // namespace pwalk::bindings
