#include <fmt/format.h>
#include <unistd.h>
#include <zmq.h>

#include "carry.h"

/// PUSH and PULL over ipc://.
namespace pwalk::bench {
namespace {

class ZeroMqChannel {
 public:
  explicit ZeroMqChannel(Board& board)
      : board_(board), path_(fmt::format("/dev/shm/pwalk-bench-{}", ::getpid())), sender_(::getpid()) {}
  ZeroMqChannel(const ZeroMqChannel&) = delete;
  ZeroMqChannel& operator=(const ZeroMqChannel&) = delete;
  ~ZeroMqChannel() {
    if (::getpid() == sender_) ::unlink(path_.c_str());
  }

  void begin_sending() {
    open(ZMQ_PUSH);
    if (zmq_bind(socket_, address().c_str()) != 0) stop();
  }
  void begin_receiving() {
    open(ZMQ_PULL);
    if (zmq_connect(socket_, address().c_str()) != 0) stop();
    zmq_msg_init(&message_);
  }
  void send(const Payload& payload) {
    if (zmq_send(socket_, payload.bytes.data(), payload.bytes.size(), 0) < 0) stop();
  }
  void finish() {
    zmq_send(socket_, nullptr, 0, 0);
    zmq_close(socket_);
    zmq_ctx_term(context_);  // waits until it is sent
  }
  std::span<const std::byte> receive() {
    if (zmq_msg_recv(&message_, socket_, 0) < 0) stop();
    return {static_cast<const std::byte*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }

 private:
  void open(int kind) {
    const Unpinned for_its_own_threads;  // the sender may spin, and they must run
    context_ = zmq_ctx_new();
    socket_ = zmq_socket(context_, kind);
  }
  std::string address() const { return "ipc://" + path_; }
  [[noreturn]] void stop() {
    board_.fail(zmq_strerror(zmq_errno()));
    ::_exit(1);
  }

  Board& board_;
  const std::string path_;
  const pid_t sender_;
  void* context_ = nullptr;
  void* socket_ = nullptr;
  zmq_msg_t message_{};
};

}  // namespace

void add_zeromq_cases(std::vector<Case>& cases) {
  add_rows<ZeroMqChannel>(cases, "ZeroMQ ipc://",
                          {Workload::batches, Workload::records, Workload::reader_awake, Workload::reader_asleep});
}

}  // namespace pwalk::bench
