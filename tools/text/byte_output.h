#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "pwalk/base/result.h"

namespace pwalk::tools {

/// Bytes on their way to a descriptor, in large writes. One thread.
///
/// Writers append to buffer() and call flush_if_full() now and then. Once the
/// reader has gone (EPIPE) everything is dropped quietly and reader_gone() says
/// so; SIGPIPE must be ignored.
class ByteOutput {
 public:
  /// Borrows the descriptor. `interrupted` is asked whenever a signal or a
  /// reader that takes nothing ends a write early.
  ByteOutput(int fd, std::function<bool()> interrupted) : fd_(fd), interrupted_(std::move(interrupted)) {}

  std::string& buffer() { return buffer_; }

  /// Writes when kFull bytes wait.
  Result<void> flush_if_full() { return buffer_.size() < kFull ? Result<void>{} : flush(); }
  /// Writes what waits, blocking as long as the reader does; with nothing to write
  /// it only looks whether the reader is still there. Errors: EINTR, it was
  /// interrupted and the rest stays in buffer(); those of write(2) but EPIPE.
  Result<void> flush();

  bool reader_gone() const { return reader_gone_; }

  static constexpr std::size_t kFull = 256 * 1024;

 private:
  Result<std::size_t> write_some(std::size_t from);

  int fd_;
  std::function<bool()> interrupted_;
  std::string buffer_;
  bool reader_gone_ = false;
};

}  // namespace pwalk::tools
