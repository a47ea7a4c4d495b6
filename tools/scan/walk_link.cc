#include "scan/walk_link.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "process/message.h"

namespace pwalk::tools {
namespace {

constexpr const char* kVariable = "PWALK_WALK_CONTROL";
constexpr std::uint32_t kLongestFrame = 16 << 20;  ///< paths may be longer than PATH_MAX, but not endless
constexpr timeval kHelloTimeout{10, 0};
constexpr timeval kForever{0, 0};

struct Frame {
  char what = 0;
  std::string payload;
};

/// False: the end of the stream, an error, or a timeout.
bool receive(int socket, void* into, std::size_t size) {
  for (auto* at = static_cast<char*>(into); size != 0;) {
    const ssize_t got = ::recv(socket, at, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    size -= std::size_t(got);
  }
  return true;
}

std::optional<Frame> receive_frame(int socket) {
  Frame frame;
  std::uint32_t length = 0;
  if (!receive(socket, &frame.what, 1) || !receive(socket, &length, sizeof length)) return std::nullopt;
  if (length > kLongestFrame) return std::nullopt;
  frame.payload.resize(length);
  if (!receive(socket, frame.payload.data(), length)) return std::nullopt;
  return frame;
}

template <class Number>
std::optional<Number> number_at(const std::string& payload, std::size_t offset) {
  Number number;
  if (payload.size() != offset + sizeof number) return std::nullopt;
  std::memcpy(&number, payload.data() + offset, sizeof number);
  return number;
}

std::optional<std::uint64_t> run_ahead_of(const std::optional<Frame>& hello) {
  std::uint32_t version = 0;
  if (!hello || hello->what != 'h' || hello->payload.size() < sizeof version) return std::nullopt;
  std::memcpy(&version, hello->payload.data(), sizeof version);
  if (version != WalkLink::kVersion) return std::nullopt;
  return number_at<std::uint64_t>(hello->payload, sizeof version);
}

bool is_stream_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

void set_timeout(int socket, timeval timeout) { ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout); }

/// The descriptor that a text names, if it is a stream socket.
std::optional<int> socket_named(const char* text) {
  char* end = nullptr;
  const long number = std::strtol(text, &end, 10);
  if (end == text || *end != '\0' || number < 3 || number > 1 << 30 || !is_stream_socket(int(number))) return std::nullopt;
  return int(number);
}

}  // namespace

Result<std::unique_ptr<WalkLink>> WalkLink::from_environment() {
  const char* const named = std::getenv(kVariable);
  if (!named) return std::unique_ptr<WalkLink>();
  const auto fd = socket_named(named);
  if (!fd) return fail(EINVAL, fmt::format("{} names no stream socket of this process", kVariable));
  UniqueFd socket(*fd);
  ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
  set_timeout(socket.get(), kHelloTimeout);
  const auto run_ahead = run_ahead_of(receive_frame(socket.get()));
  if (!run_ahead || *run_ahead == 0)
    return fail(EINVAL, fmt::format("{}: who follows the walk speaks another version", kVariable));
  set_timeout(socket.get(), kForever);
  return std::unique_ptr<WalkLink>(new WalkLink(std::move(socket), *run_ahead));
}

WalkLink::WalkLink(UniqueFd socket, std::uint64_t run_ahead)
    : socket_(std::move(socket)), control_(run_ahead), reader_([this] { follow(); }) {}

WalkLink::~WalkLink() {
  ::shutdown(socket_.get(), SHUT_RDWR);  // ends the reader's wait
  reader_.join();
}

void WalkLink::follow() {
  while (auto frame = receive_frame(socket_.get())) {
    if (frame->what == 'd') {
      control_.decline(std::move(frame->payload));
    } else if (const auto directories = number_at<std::uint64_t>(frame->payload, 0); frame->what == 'a' && directories) {
      control_.acknowledge(*directories);
    } else {
      say("pwalk-scanner", "who follows the walk sent what is no frame; it is no longer held back");
      break;
    }
  }
  control_.release();
}

}  // namespace pwalk::tools
