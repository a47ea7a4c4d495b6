#include "text/byte_output.h"

#include <poll.h>
#include <unistd.h>

namespace pwalk::tools {
namespace {

constexpr int kSliceMs = 100;

/// A pipe or socket whose reading end is closed shows POLLERR, written to or not.
bool has_lost_its_reader(int fd) {
  pollfd end{fd, 0, 0};
  return ::poll(&end, 1, 0) == 1 && (end.revents & POLLERR);
}

}  // namespace

Result<void> ByteOutput::flush() {
  if (buffer_.empty() && !reader_gone_) reader_gone_ = has_lost_its_reader(fd_);
  std::size_t written = 0;
  Result<void> outcome;
  while (!reader_gone_ && written < buffer_.size()) {
    const auto some = write_some(written);
    if (!some) {
      outcome = tl::unexpected(some.error());
      break;
    }
    written += *some;
  }
  buffer_.erase(0, reader_gone_ ? buffer_.size() : written);
  return outcome;
}

/// One write; 0 bytes when it has to be tried again.
Result<std::size_t> ByteOutput::write_some(std::size_t from) {
  const std::size_t wanted = buffer_.size() - from;
  const ssize_t count = ::write(fd_, buffer_.data() + from, wanted);
  if (count >= 0 && std::size_t(count) == wanted) return wanted;
  const int error = count < 0 ? errno : 0;
  if (error == EPIPE) {
    reader_gone_ = true;
    return 0;
  }
  if (error == EAGAIN) {  // somebody made the shared pipe or terminal non-blocking
    pollfd waiting{fd_, POLLOUT, 0};
    ::poll(&waiting, 1, kSliceMs);
  } else if (error != 0 && error != EINTR) {
    return fail(error, "cannot write to the output");
  }
  if (interrupted_ && interrupted_()) return fail(EINTR, "writing to the output");
  return count < 0 ? 0 : std::size_t(count);
}

}  // namespace pwalk::tools
