#include "process/message.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

namespace pwalk::tools {
namespace {

TEST(MessageTest, always_one_line) {
  testing::internal::CaptureStderr();
  say("pwalk", "first\nsecond");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "pwalk: first second\n");
}

TEST(MessageTest, writes_more_than_a_pipe_holds) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  const std::string wanted(1 << 20, 'x');
  std::string got;
  std::thread reader([&] {
    char chunk[1 << 14];
    while (got.size() < wanted.size())
      if (const ssize_t count = ::read(ends[0], chunk, sizeof chunk); count > 0) got.append(chunk, std::size_t(count));
  });
  write_all(ends[1], wanted);
  reader.join();
  EXPECT_EQ(got, wanted);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(MessageTest, gives_up_on_a_reader_that_takes_nothing) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  write_all(ends[1], std::string(1 << 20, 'x'));  // returns, or the test times out
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace pwalk::tools
