#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "pwalk/ipc/batch_lease.h"
#include "pwalk/ipc/consumer.h"

namespace pwalk::ipc {

/// Where a Consumer gets its batches: the lanes of a live scan, or an image. Each
/// call as Consumer documents it.
class BatchSource {
 public:
  BatchSource() = default;
  BatchSource(const BatchSource&) = delete;
  BatchSource& operator=(const BatchSource&) = delete;
  virtual ~BatchSource() = default;

  virtual Result<std::optional<BatchLease>> next(std::chrono::milliseconds timeout) = 0;
  virtual void detach() = 0;
  virtual StreamEnd end() const = 0;
  virtual ConsumerStats stats() const = 0;
  /// Also while next() runs in another thread.
  virtual std::optional<ScanFigures> scan_figures() const = 0;
  virtual const std::string& scan_name() const = 0;
  virtual pid_t scanner_pid() const = 0;
  virtual std::string image_file() const = 0;
  virtual bool in_pool(const void* address) const = 0;
};

}  // namespace pwalk::ipc
