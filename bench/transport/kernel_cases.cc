#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "carry.h"

/// A pipe and a pair of sockets. Messages have a fixed size, so a reader knows
/// where one ends.
namespace pwalk::bench {
namespace {

constexpr int kPipeBytes = 1 << 20;

struct Pipe {
  static bool make(int (&ends)[2]) {
    if (::pipe(ends) != 0) return false;
    ::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);  // more than 64 KiB, if it may be
    return true;
  }
};
struct SocketPair {
  static bool make(int (&ends)[2]) {
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return false;
    ::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &kPipeBytes, sizeof kPipeBytes);
    return true;
  }
};

template <class Kind>
class FdChannel {
 public:
  explicit FdChannel(Board& board) : board_(board) {
    if (!Kind::make(ends_)) board.fail("cannot be made");
  }
  void begin_sending() { ::close(ends_[0]); }
  void begin_receiving() { ::close(ends_[1]); }
  void send(const Payload& payload) {
    for (std::size_t done = 0; done < payload.bytes.size();) {
      const ssize_t sent = ::write(ends_[1], payload.bytes.data() + done, payload.bytes.size() - done);
      if (sent < 0) ::_exit(1);
      done += std::size_t(sent);
    }
  }
  void finish() { ::close(ends_[1]); }

  /// Small messages are read many at a time, as a program that cares would; what
  /// is there is handed out at once.
  std::span<const std::byte> receive() {
    const ssize_t got = ::read(ends_[0], buffer_.data(), buffer_.size());
    return got > 0 ? std::span<const std::byte>{buffer_.data(), std::size_t(got)} : std::span<const std::byte>{};
  }

 private:
  Board& board_;
  int ends_[2]{-1, -1};
  std::vector<std::byte> buffer_ = std::vector<std::byte>(kBatchBytes);
};

/// Records are counted by their bytes, since one read brings many.
template <class Kind>
void add(std::vector<Case>& cases, const std::string& name) {
  add_rows<FdChannel<Kind>>(cases, name, {Workload::batches, Workload::reader_awake, Workload::reader_asleep});
  cases.push_back({name + ", one write each", Workload::records, [](Board& board, std::pair<int, int> cpus) {
                     run_channel<FdChannel<Kind>>(board, Workload::batches, cpus, plain_message(kRecordBytes));
                     board.value = board.value * 1e9 / kRecordBytes / 1e6;
                   }});
}

}  // namespace

void add_kernel_cases(std::vector<Case>& cases) {
  add<Pipe>(cases, "pipe of 1 MiB");
  add<SocketPair>(cases, "socketpair");
}

}  // namespace pwalk::bench
