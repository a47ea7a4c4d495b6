#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "control_socket.h"
#include "distributor.h"
#include "messages.h"
#include "process_handle.h"

namespace pwalk::ipc {

/// What the server hands to whoever attaches.
struct ScanCredentials {
  std::string name;
  ScanId scan_id{};
  int control_fd = -1;
  int pool_fd = -1;
  bool lends_pool = true;  ///< else other processes are granted no block to pin, and copy every batch
  std::optional<gid_t> share_group = {};  ///< whose members may attach too
};

/// The control thread's work: the scan's socket, and the processes behind it.
///
/// Nothing a peer does makes it wait: every descriptor is non-blocking, every
/// message is one packet that is right or ends the connection, one message per
/// connection and round. All but wake() belong to one thread.
class ControlServer {
 public:
  /// `status` makes the JSON for those who ask. The listener, the credentials'
  /// descriptors and the distributor must outlive it.
  static Result<std::unique_ptr<ControlServer>> create(int listener, Distributor& distributor,
                                                       ScanCredentials credentials,
                                                       std::function<std::string()> status);

  /// Waits at most `timeout` for something to happen, deals with it, and returns.
  void serve(std::chrono::milliseconds timeout);
  /// Async-signal-safe, any thread.
  void wake();

 private:
  using Clock = std::chrono::steady_clock;

  /// One peer. A stranger has only its socket; a consumer has a seat, until its
  /// process is gone or, detached, has given everything back.
  struct Connection {
    UniqueFd socket;
    ProcessHandle process;
    std::shared_ptr<Seat> seat;
    Clock::time_point since;
  };
  using Connections = std::map<std::uint64_t, Connection>;
  /// What a registered descriptor is; the low bits of its epoll word, the rest is the connection's number.
  enum class Source : std::uint8_t { listener, wake, socket, kick, process };

  ControlServer(int listener, Distributor& distributor, ScanCredentials credentials,
                std::function<std::string()> status);
  bool watch(int fd, Source source, std::uint64_t connection);
  /// Closing is not enough: the consumer has the same eventfd, and epoll goes by open file.
  void unwatch(int fd);
  void handle(std::uint64_t word);
  void accept_all();
  void accept_one(UniqueFd socket);
  /// Out of descriptors, the queue would stay readable for ever: takes one and drops it.
  void refuse_for_lack_of_descriptors();
  void hear(std::uint64_t number);
  void answer_stranger(std::uint64_t number, const Packet& packet);
  bool may_attach(int socket, uid_t uid) const;
  void admit(std::uint64_t number, const Hello& hello, UniqueFd claimed);
  Result<void> welcome(Connection& connection, const Distributor::Admission& admission);
  void refuse(std::uint64_t number, const Error& why);
  void send_status(std::uint64_t number);
  void hang_up(std::uint64_t number);
  void bury(std::uint64_t number);
  void settle();

  int listener_;
  Distributor& distributor_;
  ScanCredentials credentials_;
  std::function<std::string()> status_;
  ProcessHandle self_;
  UniqueFd epoll_, wake_, spare_;
  Connections connections_;
  std::uint64_t next_number_ = 1;
};

}  // namespace pwalk::ipc
