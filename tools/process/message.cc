#include "process/message.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

namespace pwalk::tools {
namespace {

constexpr int kPatienceMs = 100;

}  // namespace

void say(std::string_view program, std::string_view text) {
  std::string line(program);
  line.append(": ").append(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  line += '\n';
  write_all(STDERR_FILENO, line);
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count > 0) {
      bytes.remove_prefix(std::size_t(count));
    } else if (count < 0 && errno == EAGAIN) {
      pollfd waiting{fd, POLLOUT, 0};
      if (::poll(&waiting, 1, kPatienceMs) == 0) return;
    } else if (count < 0 && errno != EINTR) {
      return;
    }
  }
}

}  // namespace pwalk::tools
