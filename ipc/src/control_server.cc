#include "control_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace pwalk::ipc {
namespace {

/// A stranger that says nothing for so long is shown out.
constexpr std::chrono::seconds kStrangersPatience{5};
/// More strangers than this at once, and the one that came first has to go.
constexpr std::size_t kMostStrangers = 64;
constexpr int kAcceptsPerRound = 16;
constexpr int kEventsPerRound = 64;
constexpr unsigned kSourceBits = 3;
/// The longest message a peer may send.
constexpr std::size_t kMostRequestBytes = sizeof(Hello);

void clear_eventfd(int fd) {
  std::uint64_t count = 0;
  static_cast<void>(::read(fd, &count, sizeof count));
}

UniqueFd spare_descriptor() {
  return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace

ControlServer::ControlServer(int listener, Distributor& distributor, ScanCredentials credentials,
                             std::function<std::string()> status)
    : listener_(listener),
      distributor_(distributor),
      credentials_(std::move(credentials)),
      status_(std::move(status)) {}

Result<std::unique_ptr<ControlServer>> ControlServer::create(int listener, Distributor& distributor,
                                                             ScanCredentials credentials,
                                                             std::function<std::string()> status) {
  std::unique_ptr<ControlServer> server(
      new ControlServer(listener, distributor, std::move(credentials), std::move(status)));
  auto self = ProcessHandle::self();
  if (!self) return tl::unexpected(self.error());
  server->self_ = *std::move(self);
  server->epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  server->wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  server->spare_ = spare_descriptor();
  if (!server->epoll_ || !server->wake_ || !server->watch(listener, Source::listener, 0) ||
      !server->watch(server->wake_.get(), Source::wake, 0))
    return fail_errno("cannot watch the scan's socket");
  return server;
}

bool ControlServer::watch(int fd, Source source, std::uint64_t connection) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (source == Source::socket) event.events |= EPOLLRDHUP;
  // An edge with each write, and nothing is read from it: the consumer has the same open file,
  // could make it blocking, and read it empty just before us.
  if (source == Source::kick) event.events |= unsigned{EPOLLET};
  event.data.u64 = connection << kSourceBits | std::uint64_t(source);
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void ControlServer::unwatch(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void ControlServer::wake() {
  const std::uint64_t one = 1;
  static_cast<void>(::write(wake_.get(), &one, sizeof one));
}

void ControlServer::serve(std::chrono::milliseconds timeout) {
  std::array<epoll_event, kEventsPerRound> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), int(events.size()),
                                 int(std::clamp<std::int64_t>(timeout.count(), 0, 1000)));
  for (int i = 0; i < count; ++i) handle(events[std::size_t(i)].data.u64);
  settle();
}

void ControlServer::handle(std::uint64_t word) {
  const std::uint64_t number = word >> kSourceBits;
  switch (Source(word & ((1u << kSourceBits) - 1))) {
    case Source::listener:
      return accept_all();
    case Source::wake:
      return clear_eventfd(wake_.get());
    case Source::socket:
      return hear(number);
    case Source::process:
      return bury(number);
    case Source::kick:
      break;
  }
  const auto found = connections_.find(number);
  if (found == connections_.end() || !found->second.seat) return;
  distributor_.drain(*found->second.seat);
}

// ---- strangers --------------------------------------------------------------

void ControlServer::accept_all() {
  for (int i = 0; i < kAcceptsPerRound; ++i) {
    UniqueFd socket(::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket && (errno == EMFILE || errno == ENFILE)) return refuse_for_lack_of_descriptors();
    if (!socket) return;
    accept_one(std::move(socket));
  }
}

void ControlServer::refuse_for_lack_of_descriptors() {
  spare_.reset();
  UniqueFd(::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)).reset();
  spare_ = spare_descriptor();
}

void ControlServer::accept_one(UniqueFd socket) {
  const std::uint64_t number = next_number_++;
  if (!watch(socket.get(), Source::socket, number)) return;
  connections_.emplace(number, Connection{std::move(socket), {}, nullptr, Clock::now()});
  const auto stranger = [](const auto& entry) { return !entry.second.seat; };
  if (std::size_t(std::count_if(connections_.begin(), connections_.end(), stranger)) > kMostStrangers)
    connections_.erase(std::find_if(connections_.begin(), connections_.end(), stranger));
}

void ControlServer::hear(std::uint64_t number) {
  const auto found = connections_.find(number);
  if (found == connections_.end() || !found->second.socket) return;
  auto packet = receive_packet(found->second.socket.get(), kMostRequestBytes);
  if (!packet && packet.error().code == EAGAIN) return;
  if (!packet || !packet->whole) return hang_up(number);
  if (!found->second.seat) return answer_stranger(number, *packet);
  // All a consumer ever says is that it leaves; whatever else it sends ends it as well.
  hang_up(number);
}

void ControlServer::answer_stranger(std::uint64_t number, const Packet& packet) {
  if (parse_message<StatusRequest>(packet.bytes)) return send_status(number);
  const auto hello = parse_message<Hello>(packet.bytes);
  if (!hello || hello->start > std::uint8_t(StartAt::now)) return hang_up(number);
  UniqueFd claimed;
  if (!packet.fds.empty()) claimed = UniqueFd(::fcntl(packet.fds.front().get(), F_DUPFD_CLOEXEC, 0));
  admit(number, *hello, std::move(claimed));
}

void ControlServer::send_status(std::uint64_t number) {
  const auto found = connections_.find(number);
  const std::string text = status_();
  MessageHeader header;
  header.kind = MessageKind::status;
  header.length = std::uint32_t(sizeof header + text.size());
  std::vector<std::byte> packet(header.length);
  std::memcpy(packet.data(), &header, sizeof header);
  std::memcpy(packet.data() + sizeof header, text.data(), text.size());
  static_cast<void>(send_packet(found->second.socket.get(), packet));
  hang_up(number);
}

// ---- consumers --------------------------------------------------------------

bool ControlServer::may_attach(int socket, uid_t uid) const {
  if (uid == ::geteuid() || uid == 0) return true;
  return credentials_.share_group && peer_is_member(socket, *credentials_.share_group);
}

void ControlServer::admit(std::uint64_t number, const Hello& hello, UniqueFd claimed) {
  Connection& connection = connections_.at(number);
  const auto uid = peer_uid(connection.socket.get());
  if (!uid) return refuse(number, uid.error());
  if (!may_attach(connection.socket.get(), *uid))
    return refuse(number, Error{EACCES, "the scan belongs to another user"});
  auto process = ProcessHandle::of_peer(connection.socket.get(), std::move(claimed));
  if (!process) return refuse(number, process.error());
  auto admission = distributor_.attach({.start = StartAt(hello.start),
                                        .label = hello.label.get(),
                                        .command = process->command(),
                                        .pid = process->pid(),
                                        .group = hello.group.get(),
                                        .reads_on = hello.reads_on != 0});
  if (!admission) return refuse(number, admission.error());

  connection.process = *std::move(process);
  connection.seat = admission->seat;
  const bool watched = watch(connection.seat->kick.get(), Source::kick, number) &&
                       watch(connection.process.fd(), Source::process, number);
  if (!watched || !welcome(connection, *admission)) return bury(number);
  connection.seat->memory.close_descriptor();
}

Result<void> ControlServer::welcome(Connection& connection, const Distributor::Admission& admission) {
  auto message = make_message<Welcome>();
  message.scan_id = credentials_.scan_id;
  message.missed_rows = admission.missed_rows;
  const bool lends = credentials_.lends_pool || connection.process.pid() == ::getpid();
  // A member's batches stay in the pool until they are done, whatever it reads.
  const std::uint32_t share = admission.seat->group ? ~std::uint32_t{0} : admission.seat->grant.blocks;
  message.grant_blocks = lends ? share : 0;
  message.member = admission.seat->member;
  message.name.set(credentials_.name);
  const auto& group = admission.seat->group;
  std::array<int, kWelcomeFds + 1> fds{};
  fds[kControlFd] = credentials_.control_fd;
  fds[kPoolFd] = credentials_.pool_fd;
  fds[kConsumerFd] = admission.seat->memory.fd();
  fds[kKickFd] = admission.seat->kick.get();
  fds[kScannerFd] = self_.fd();
  if (group) fds[kLedgerFd] = group->memory.fd();
  return send_message(connection.socket.get(), message, std::span(fds).first(group ? kWelcomeFds + 1 : kWelcomeFds));
}

void ControlServer::refuse(std::uint64_t number, const Error& why) {
  auto message = make_message<Refused>();
  message.error = std::uint32_t(why.code);
  message.missed_rows = why.code == ENODATA ? distributor_.gone_rows() : 0;
  message.text.set(why.what);
  static_cast<void>(send_message(connections_.at(number).socket.get(), message));
  hang_up(number);
}

/// A stranger is gone with its socket. A consumer is detached, and stays known
/// for what it still holds.
void ControlServer::hang_up(std::uint64_t number) {
  Connection& connection = connections_.at(number);
  if (!connection.seat) {
    connections_.erase(number);
    return;
  }
  connection.socket.reset();
  distributor_.detach(*connection.seat);
}

/// The process is gone, and with it whatever it held.
void ControlServer::bury(std::uint64_t number) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  if (found->second.seat) {
    distributor_.forget(found->second.seat);
    unwatch(found->second.seat->kick.get());
    unwatch(found->second.process.fd());
  }
  connections_.erase(found);
}

/// What is no event: strangers that stay silent, consumers that the distributor has
/// found lying or too slow, and consumers that left and have given the last batch back.
void ControlServer::settle() {
  distributor_.look_after_groups();
  const auto now = Clock::now();
  for (auto next = connections_.begin(); next != connections_.end();) {
    const std::uint64_t number = next->first;
    Connection& connection = next->second;
    ++next;
    if (!connection.seat) {
      if (now - connection.since > kStrangersPatience) connections_.erase(number);
    } else if (connection.socket) {
      if (distributor_.dismissed(*connection.seat)) hang_up(number);
    } else if (distributor_.settled(*connection.seat)) {
      bury(number);
    }
  }
}

}  // namespace pwalk::ipc
