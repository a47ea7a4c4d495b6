#include "text/byte_output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "pwalk/base/unique_fd.h"

namespace pwalk::tools {
namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
  UniqueFd reader, writer;
};

std::string read_all(int fd) {
  std::string bytes(4 << 20, '\0');
  std::size_t got = 0;
  for (ssize_t count; (count = ::read(fd, bytes.data() + got, bytes.size() - got)) > 0;) got += std::size_t(count);
  bytes.resize(got);
  return bytes;
}

class ByteOutputTest : public testing::Test {
 protected:
  void SetUp() override { ::signal(SIGPIPE, SIG_IGN); }
};

TEST_F(ByteOutputTest, writes_more_than_a_pipe_holds) {
  Pipe pipe;
  std::string got;
  std::thread reader([&] { got = read_all(pipe.reader.get()); });
  ByteOutput output(pipe.writer.get(), nullptr);
  output.buffer().assign(3 << 20, 'x');
  EXPECT_TRUE(output.flush());
  EXPECT_TRUE(output.buffer().empty());
  pipe.writer.reset();
  reader.join();
  EXPECT_EQ(got.size(), std::size_t{3} << 20);
}

TEST_F(ByteOutputTest, keeps_small_amounts_until_full) {
  Pipe pipe;
  ByteOutput output(pipe.writer.get(), nullptr);
  output.buffer() += "few";
  EXPECT_TRUE(output.flush_if_full());
  EXPECT_EQ(output.buffer(), "few");
}

TEST_F(ByteOutputTest, closed_reader_is_quiet) {
  Pipe pipe;
  pipe.reader.reset();
  ByteOutput output(pipe.writer.get(), nullptr);
  output.buffer() += "text";
  EXPECT_TRUE(output.flush());
  EXPECT_TRUE(output.reader_gone());
  EXPECT_TRUE(output.buffer().empty());
}

TEST_F(ByteOutputTest, closed_reader_is_noticed_with_nothing_to_write) {
  Pipe pipe;
  ByteOutput output(pipe.writer.get(), nullptr);
  EXPECT_TRUE(output.flush());
  EXPECT_FALSE(output.reader_gone());
  pipe.reader.reset();
  EXPECT_TRUE(output.flush());
  EXPECT_TRUE(output.reader_gone());
}

TEST_F(ByteOutputTest, full_non_blocking_pipe_can_be_interrupted) {
  Pipe pipe;
  ::fcntl(pipe.writer.get(), F_SETFL, O_NONBLOCK);
  int asked = 0;
  ByteOutput output(pipe.writer.get(), [&] { return ++asked > 2; });
  output.buffer().assign(1 << 20, 'x');
  const auto flushed = output.flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, EINTR);
  EXPECT_FALSE(output.buffer().empty()) << "what was not written stays";
}

TEST_F(ByteOutputTest, other_errors_are_told) {
  ByteOutput output(-1, nullptr);
  output.buffer() += "text";
  const auto flushed = output.flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, EBADF);
}

}  // namespace
}  // namespace pwalk::tools
