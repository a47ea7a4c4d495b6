#include "ipc/attach_fuzz.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <vector>

#include "control_server.h"
#include "control_socket.h"
#include "ipc/fuzz_input.h"
#include "memfd.h"
#include "messages.h"
#include "scan_status.h"

namespace pwalk::ipc::testing {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kPeers = 4;
constexpr std::uint64_t kPoolBytes = 4 * kBlockBytes;
constexpr ScanGeometry kGeometry{.lanes = 2, .slots = 64, .return_slots = 16, .pool_bytes = kPoolBytes, .scan_id = {}};
/// So few batches of a unit each always find room.
constexpr unsigned kMostBatches = 8;

/// Listens on an abstract address of the kernel's choice.
UniqueFd new_listener() {
  UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  demand(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(sa_family_t)) == 0);
  demand(::listen(listener.get(), 16) == 0);
  return listener;
}

UniqueFd connect_to(int listener) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  demand(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) socket.reset();
  return socket;
}

/// The next descriptor to be given out: one that is not closed shows in it.
int lowest_free_descriptor() {
  const UniqueFd next(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
  return next.get();
}

/// A server, its scan, and those who come to it.
class Door {
 public:
  explicit Door(FuzzInput input)
      : input_(input),
        control_(*ControlMemory::create(kGeometry)),
        pool_memory_(*create_memfd("fuzzed-pool", kPoolBytes)),
        distributor_(pool(), control_, kPoolBytes),
        listener_(new_listener()) {
    ScanCredentials credentials{
        .name = "fuzzed", .scan_id = kGeometry.scan_id, .control_fd = control_.fd(), .pool_fd = pool_memory_.get()};
    credentials.lends_pool = input_.flip();
    auto server = ControlServer::create(listener_.get(), distributor_, credentials, [this] { return status(); });
    server_ = *std::move(server);
  }

  AttachOutcome run() {
    while (!input_.empty()) step();
    leave();
    return outcome_;
  }

 private:
  void step() {
    const std::uint8_t choice = input_.byte();
    UniqueFd& peer = peers_[choice / 16 % kPeers];
    switch (choice % 16) {
      case 0: peer = connect_to(listener_.get()); break;
      case 1: send_bytes(peer); break;
      case 2: say(peer, make_message<StatusRequest>()); break;
      case 3: say(peer, make_message<Detach>()); break;
      case 4: peer.reset(); break;
      case 5: ::shutdown(peer.get(), SHUT_WR); break;
      case 6: publish(); break;
      case 7: static_cast<void>(parse_status(text_of(input_.take(input_.byte())))); break;
      case 8: case 9: case 10: hear(peer); break;
      case 11: case 12: say_hello(peer); break;
      default: server_->serve(0ms);
    }
  }

  /// Nobody here reads what lies in it.
  static std::span<std::byte> pool() {
    static std::vector<std::byte> bytes(kPoolBytes);
    return bytes;
  }

  std::string status() {
    ScanStatus now;
    now.name = "fuzzed";
    now.roots = {"/fuzzed"};
    now.state = "walking";
    now.consumers = distributor_.consumers();
    return print_status(now);
  }

  static std::string_view text_of(std::span<const std::uint8_t> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  void send_bytes(const UniqueFd& peer) {
    const auto bytes = input_.take(input_.byte());
    const auto fds = some_descriptors();
    static_cast<void>(send_packet(peer.get(), std::as_bytes(bytes), fds));
  }

  template <class M>
  void say(const UniqueFd& peer, M message) {
    for (unsigned patches = input_.below(3); patches > 0; --patches) {
      const std::size_t at = input_.byte() % sizeof message;
      reinterpret_cast<std::uint8_t*>(&message)[at] = input_.byte();
    }
    static_cast<void>(send_message(peer.get(), message, some_descriptors()));
  }

  void say_hello(const UniqueFd& peer) {
    auto hello = make_message<Hello>();
    hello.start = std::uint8_t(input_.below(3));
    hello.label.set(text_of(input_.take(input_.below(80))));
    if (input_.flip()) hello.group.set(text_of(input_.take(input_.below(70))));
    say(peer, hello);
  }

  /// Of the kinds that a consumer sends, and of others; good until the next call.
  std::span<const int> some_descriptors() {
    descriptors_.clear();
    const unsigned count = input_.below(16) < 8 ? 0 : input_.below(9);
    for (unsigned i = 0; i < count; ++i) descriptors_.push_back(kinds_[input_.below(kinds_.size())].get());
    return descriptors_;
  }

  /// What the server says is whole and of a kind, with the descriptors that belong to it.
  void hear(const UniqueFd& peer) {
    auto packet = receive_packet(peer.get(), sizeof(MessageHeader) + kMostStatusBytes);
    if (!packet) return;
    const auto header = parse_header(packet->bytes);
    demand(packet->whole && header);
    if (const auto welcome = parse_message<Welcome>(packet->bytes)) {
      demand(packet->fds.size() == kWelcomeFds || packet->fds.size() == kWelcomeFds + 1);
      demand(bool(ConsumerMemory::open(std::move(packet->fds[kConsumerFd]), kGeometry)));
      ++outcome_.admitted;
    } else if (header->kind == MessageKind::status) {
      const std::size_t text = sizeof *header;
      const auto told = parse_status({reinterpret_cast<const char*>(packet->bytes.data()) + text, packet->bytes.size() - text});
      demand(told && told->name == "fuzzed");
      ++outcome_.told_status;
    } else {
      demand(bool(parse_message<Refused>(packet->bytes)));
    }
  }

  void publish() {
    if (batches_++ >= kMostBatches) return;
    const std::array<std::byte, 100> bytes{};
    demand(bool(distributor_.publish(batches_, {.bytes = bytes, .rows = 1})));
  }

  /// Everybody hangs up; within as many rounds as they have sent packets nothing is left of them.
  void leave() {
    constexpr int kToBeHeard = 4;  // rounds: accepted, heard, found to be gone
    for (UniqueFd& peer : peers_) peer.reset();
    for (int rounds = 0; rounds < kToBeHeard || !distributor_.consumers().empty(); ++rounds) {
      demand(rounds < 1000);
      server_->serve(0ms);
    }
  }

  FuzzInput input_;
  ControlMemory control_;
  UniqueFd pool_memory_;
  Distributor distributor_;
  UniqueFd listener_;
  std::unique_ptr<ControlServer> server_;
  const std::array<UniqueFd, 3> kinds_{UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)),
                                       UniqueFd(::eventfd(0, EFD_CLOEXEC)),
                                       UniqueFd(::fcntl(ProcessHandle::self()->fd(), F_DUPFD_CLOEXEC, 0))};
  std::array<UniqueFd, kPeers> peers_;
  std::vector<int> descriptors_;
  unsigned batches_ = 0;
  AttachOutcome outcome_;
};

}  // namespace

AttachOutcome attach_fuzz(std::span<const std::uint8_t> input) {
  const int before = lowest_free_descriptor();
  const AttachOutcome outcome = Door(FuzzInput(input)).run();
  demand(lowest_free_descriptor() == before);
  return outcome;
}

}  // namespace pwalk::ipc::testing
