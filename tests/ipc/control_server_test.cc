#include "control_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <future>
#include <random>
#include <thread>

#include "control_socket.h"
#include "ipc/scan_fixture.h"
#include "messages.h"
#include "pwalk/ipc/consumer.h"
#include "scan_home.h"
#include "scan_lookup.h"
#include "stream_reader.h"

/// Peers on the socket that do not behave, beside one that does.
namespace pwalk::ipc {
namespace {

using namespace std::chrono_literals;
using testing::BatchSource;
using testing::RowTally;
using testing::RuntimeDirectory;
using testing::ServedScan;

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator fds("/proc/self/fd");
  return std::size_t(std::distance(begin(fds), end(fds)));
}

class ControlServerTest : public ::testing::Test {
 protected:
  ControlServerTest() : scan_("home") {}

  UniqueFd connect() {
    const UniqueFd runtime(::open(runtime_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto directory = open_scan_directory(runtime.get(), "home");
    EXPECT_TRUE(directory);
    UniqueFd socket;
    testing::eventually([&] {
      auto connected = connect_in(directory->get());
      if (connected) socket = *std::move(connected);
      return bool(connected);
    });
    return socket;
  }

  static bool send(const UniqueFd& socket, std::span<const std::byte> bytes, std::span<const int> fds = {}) {
    return bool(send_packet(socket.get(), bytes, fds));
  }
  template <class M>
  static bool send(const UniqueFd& socket, const M& message) {
    return bool(send_message(socket.get(), message));
  }

  /// The scanner hung up on it, having said nothing.
  static bool is_shown_out(const UniqueFd& socket) {
    const auto answer = await_packet(socket.get(), 4096, 10s, {});
    return !answer && answer.error().code == ECONNRESET;
  }

  /// A consumer attaches and gets all of the stream, promptly.
  void expect_service() {
    BatchSource source;
    auto consumer = Consumer::attach({.scan = "home"});
    ASSERT_TRUE(consumer) << consumer.error().message();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(scan_->publish(0, source.make(100)));
    scan_->finish(true);
    RowTally tally;
    for (auto lease = consumer->next(10s); lease && *lease; lease = consumer->next(10s))
      tally.add((*lease)->view());
    EXPECT_EQ(consumer->end(), StreamEnd::complete);
    EXPECT_EQ(tally.missing_or_doubled(2000), "");
  }

  RuntimeDirectory runtime_;
  ServedScan scan_;
};

TEST_F(ControlServerTest, AnswersAStatusRequest) {
  scan_->set_status("walking", 17, 3);
  const UniqueFd socket = connect();
  const auto status = ask_status(socket.get(), 5s);
  ASSERT_TRUE(status) << status.error().message();
  EXPECT_EQ(status->name, "home");
  EXPECT_EQ(status->state, "walking");
  EXPECT_EQ(status->entries, 17u);
  EXPECT_EQ(status->errors, 3u);
  EXPECT_EQ(status->roots, std::vector<std::string>{"/numbered"});
  EXPECT_EQ(status->pages, "4K");
}

TEST_F(ControlServerTest, GarbageOfEveryLengthIsShownOut) {
  std::mt19937_64 random(testing::test_seed());
  for (std::size_t length = 1; length < 200; length += 1 + random() % 7) {
    std::vector<std::byte> bytes(length);
    for (std::byte& byte : bytes) byte = std::byte(random());
    const UniqueFd socket = connect();
    ASSERT_TRUE(send(socket, bytes));
    EXPECT_TRUE(is_shown_out(socket)) << length << " bytes";
  }
  expect_service();
}

TEST_F(ControlServerTest, AlmostRightMessagesAreShownOut) {
  const auto good = make_message<Hello>();
  const auto bytes = std::as_bytes(std::span(&good, 1));
  std::vector<std::vector<std::byte>> almost;
  for (std::size_t length = 1; length < bytes.size(); ++length)
    almost.emplace_back(bytes.begin(), bytes.begin() + std::ptrdiff_t(length));
  almost.emplace_back(bytes.begin(), bytes.end());
  almost.back().push_back(std::byte{0});  // one too long
  const std::size_t start = offsetof(Hello, start);
  for (const std::size_t wrong : {std::size_t{0}, std::size_t{4}, std::size_t{6}, std::size_t{8}, start}) {
    almost.emplace_back(bytes.begin(), bytes.end());
    almost.back()[wrong] ^= std::byte{0x55};
  }
  for (const auto& message : almost) {
    const UniqueFd socket = connect();
    ASSERT_TRUE(send(socket, message));
    EXPECT_TRUE(is_shown_out(socket));
  }
  EXPECT_EQ(scan_->attendance().ever, 0u);
  expect_service();
}

TEST_F(ControlServerTest, ConnectionsThatSayNothingDoNotKeepOthersOut) {
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 500; ++i) silent.push_back(connect());
  expect_service();
}

TEST_F(ControlServerTest, AFloodEndsTheFlooder) {
  std::vector<UniqueFd> sockets;
  std::vector<std::byte> noise(80, std::byte{1});
  for (int i = 0; i < 50; ++i) {
    sockets.push_back(connect());
    while (send(sockets.back(), noise)) {
    }
  }
  expect_service();
}

TEST_F(ControlServerTest, HangingUpAtOnceLeavesNothing) {
  connect();
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 200; ++i) {
    const UniqueFd socket = connect();
    if (i % 2) send(socket, make_message<Hello>());
  }
  EXPECT_TRUE(
      testing::eventually([&] { return scan_->attendance().attached == 0 && open_descriptors() <= before; }));
  expect_service();
}

TEST_F(ControlServerTest, AConsumerThatTalksNonsenseIsDetached) {
  const UniqueFd socket = connect();
  ASSERT_TRUE(send(socket, make_message<Hello>()));
  const auto welcome = await_packet(socket.get(), 4096, 10s, {});
  ASSERT_TRUE(welcome && parse_message<Welcome>(welcome->bytes));
  EXPECT_EQ(welcome->fds.size(), std::size_t{kWelcomeFds});
  EXPECT_EQ(scan_->attendance().attached, 1u);
  ASSERT_TRUE(send(socket, std::vector<std::byte>(10)));
  EXPECT_TRUE(testing::eventually([&] { return scan_->attendance().attached == 0; }));
  expect_service();
}

TEST_F(ControlServerTest, WhatIsPassedCannotBeWrittenOrShrunk) {
  const UniqueFd socket = connect();
  ASSERT_TRUE(send(socket, make_message<Hello>()));
  const auto welcome = await_packet(socket.get(), 4096, 10s, {});
  ASSERT_TRUE(welcome && welcome->fds.size() == kWelcomeFds);
  for (const auto which : {kControlFd, kPoolFd}) {
    const int fd = welcome->fds[which].get();
    EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    EXPECT_EQ(::pwrite(fd, "x", 1, 0), -1);
    EXPECT_EQ(::ftruncate(fd, 0), -1);
    EXPECT_EQ(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
    const std::string again = "/proc/self/fd/" + std::to_string(fd);
    const UniqueFd reopened(::open(again.c_str(), O_RDWR | O_CLOEXEC));
    if (reopened) {
      EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reopened.get(), 0), MAP_FAILED);
    }
  }
  EXPECT_EQ(::ftruncate(welcome->fds[kConsumerFd].get(), 0), -1);
}

TEST_F(ControlServerTest, AttachingAndLeavingThousandsOfTimes) {
  { const auto warm = Consumer::attach({.scan = "home"}); }
  ASSERT_TRUE(testing::eventually([&] { return scan_->consumers().empty(); }));
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(Consumer::attach({.scan = "home"}));
  EXPECT_TRUE(
      testing::eventually([&] { return scan_->consumers().empty() && open_descriptors() <= before; }));
  EXPECT_EQ(scan_->attendance().ever, 1001u);
}

/// The server alone, served by the test itself, which so decides what is ready in one round.
class RoundsTest : public ::testing::Test {
 protected:
  RoundsTest() {
    auto control = ControlMemory::create({.lanes = 1, .slots = 512, .return_slots = 64, .pool_bytes = pool_.size()});
    auto home = ScanHome::make(runtime_.path(), "home");
    if (!control || !home) throw std::runtime_error("no scan to be served");
    control_ = std::make_unique<ControlMemory>(*std::move(control));
    home_ = std::make_unique<ScanHome>(*std::move(home));
    distributor_ = std::make_unique<Distributor>(std::span(pool_), *control_, pool_.size());
    const ScanCredentials credentials{.name = "home", .control_fd = control_->fd(), .pool_fd = control_->fd()};
    auto server = ControlServer::create(home_->listener(), *distributor_, credentials, [this] {
      if (on_status_) on_status_();
      return std::string("{}");
    });
    if (!server || !home_->appear()) throw std::runtime_error("no server");
    server_ = *std::move(server);
  }

  UniqueFd connect() {
    const UniqueFd directory(::open((runtime_.path() + "/home").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    auto socket = connect_in(directory.get());
    EXPECT_TRUE(socket);
    server_->serve(1s);
    return *std::move(socket);
  }

  RuntimeDirectory runtime_;
  std::vector<std::byte> pool_ = std::vector<std::byte>(2u << 20);
  std::unique_ptr<ControlMemory> control_;
  std::unique_ptr<Distributor> distributor_;
  std::unique_ptr<ScanHome> home_;
  std::function<void()> on_status_;
  std::unique_ptr<ControlServer> server_;
};

/// The eventfd is one open file for both sides. So a consumer can make it blocking for the scanner
/// too, and read it empty after the scanner was woken by it and before it looks.
TEST_F(RoundsTest, AConsumerThatMakesItsEventfdBlockDoesNotHoldUpTheServer) {
  const UniqueFd socket = connect(), other = connect();
  ASSERT_TRUE(send_message(socket.get(), make_message<Hello>()));
  server_->serve(1s);
  const auto welcome = await_packet(socket.get(), 4096, 10s, {});
  ASSERT_TRUE(welcome && welcome->fds.size() == kWelcomeFds);
  const int kick = welcome->fds[kKickFd].get();
  ASSERT_EQ(::fcntl(kick, F_SETFL, ::fcntl(kick, F_GETFL) & ~O_NONBLOCK), 0);
  const std::uint64_t one = 1;
  on_status_ = [&] {
    std::uint64_t count = 0;
    EXPECT_EQ(::read(kick, &count, sizeof count), ssize_t{sizeof count});
  };
  // Both are ready when the server looks, and are dealt with in this order.
  ASSERT_TRUE(send_message(other.get(), make_message<StatusRequest>()));
  ASSERT_EQ(::write(kick, &one, sizeof one), ssize_t{sizeof one});
  auto round = std::async(std::launch::async, [&] { server_->serve(1s); });
  EXPECT_EQ(round.wait_for(5s), std::future_status::ready);
  static_cast<void>(::write(kick, &one, sizeof one));  // lets a server go that waits for it
}

/// Who passes one decides how long it takes to close it.
TEST_F(RoundsTest, NoDescriptorIsTaken) {
  int takes = 0;
  socklen_t size = sizeof takes;
  if (::getsockopt(home_->listener(), SOL_SOCKET, SO_PASSRIGHTS, &takes, &size) != 0)
    GTEST_SKIP() << "the kernel cannot refuse descriptors, Linux 6.16";
  EXPECT_EQ(takes, 0);
  const UniqueFd socket = connect();
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto sent = send_message(socket.get(), make_message<Hello>(), std::array{null.get()});
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, EPERM);
}

TEST_F(RoundsTest, DescriptorsThatComeWithNonsenseAreClosed) {
  const int takes = 1;  // as before Linux 6.16
  ::setsockopt(home_->listener(), SOL_SOCKET, SO_PASSRIGHTS, &takes, sizeof takes);
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::vector<int> many(8, null.get());
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 100; ++i) {
    const UniqueFd socket = connect();
    ASSERT_TRUE(send_packet(socket.get(), std::vector<std::byte>(30), many));
    server_->serve(1s);
    const auto answer = receive_packet(socket.get(), 4096);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ECONNRESET);
  }
  EXPECT_EQ(open_descriptors(), before);
}

/// It is not read, so it has to be noticed each time it is written.
TEST_F(RoundsTest, EachKickIsHeard) {
  const UniqueFd socket = connect();
  ASSERT_TRUE(send_message(socket.get(), make_message<Hello>()));
  server_->serve(1s);
  const auto welcome = await_packet(socket.get(), 4096, 10s, {});
  ASSERT_TRUE(welcome && welcome->fds.size() == kWelcomeFds);
  auto own = ConsumerMemory::open(UniqueFd(::dup(welcome->fds[kConsumerFd].get())), control_->geometry());
  ASSERT_TRUE(own);
  StreamReader reader(*control_, *own);
  auto returns = own->return_writer();
  const std::vector<std::byte> bytes(100);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(distributor_->publish(0, {.bytes = bytes, .rows = 1}));
    StreamReader::Taken taken;
    ASSERT_EQ(reader.take(taken), Taking::taken);
    returns.push({std::uint32_t(taken.descriptor.offset / kUnitBytes), std::uint32_t(taken.descriptor.sequence)});
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(welcome->fds[kKickFd].get(), &one, sizeof one), ssize_t{sizeof one});
    server_->serve(10s);
    EXPECT_EQ(own->header().drained.load(), i);
  }
}

}  // namespace
}  // namespace pwalk::ipc
