#include "control_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <thread>

#include "control_socket.h"
#include "ipc/scan_fixture.h"
#include "messages.h"
#include "pwalk/ipc/consumer.h"
#include "scan_home.h"
#include "scan_lookup.h"

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

TEST_F(ControlServerTest, DescriptorsThatComeWithNonsenseAreClosed) {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::vector<int> many(8, null.get());
  {
    EXPECT_TRUE(is_shown_out([&] {
      UniqueFd socket = connect();
      send(socket, std::vector<std::byte>(30), many);
      return socket;
    }()));
  }
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 100; ++i) {
    const UniqueFd socket = connect();
    send(socket, std::vector<std::byte>(30), many);
    EXPECT_TRUE(is_shown_out(socket));
  }
  EXPECT_TRUE(testing::eventually([&] { return open_descriptors() <= before; }))
      << before << " became " << open_descriptors();
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

}  // namespace
}  // namespace pwalk::ipc
