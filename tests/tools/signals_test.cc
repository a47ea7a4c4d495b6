#include "process/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace pwalk::tools {
namespace {

TEST(SignalsTest, stops_are_counted_and_progress_is_taken_once) {
  watch_signals();
  const int before = stop_requests();
  ::raise(SIGINT);
  ::raise(SIGTERM);
  ::raise(SIGHUP);
  EXPECT_EQ(stop_requests(), before + 3);
  EXPECT_FALSE(take_progress_request());
  ::raise(SIGUSR1);
  ::raise(SIGUSR1);
  EXPECT_TRUE(take_progress_request());
  EXPECT_FALSE(take_progress_request());
}

TEST(SignalsTest, hangup_ignored_by_nohup_stays_ignored) {
  ::signal(SIGHUP, SIG_IGN);
  watch_signals();
  const int before = stop_requests();
  ::raise(SIGHUP);
  EXPECT_EQ(stop_requests(), before);
}

TEST(SignalsTest, closed_pipes_do_not_kill) {
  watch_signals();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  EXPECT_EQ(::write(ends[1], "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  ::close(ends[1]);
}

}  // namespace
}  // namespace pwalk::tools
