#include "slow_watch.h"

#include <gtest/gtest.h>

namespace pwalk::ipc {
namespace {

using namespace std::chrono_literals;

class SlowWatchTest : public ::testing::Test {
 protected:
  /// A tenth of a second later; on one lane.
  void look(bool guilty, std::uint64_t taken, std::uint64_t published) {
    now_ += 100ms;
    watch_.look(now_, guilty, {taken}, {published});
  }
  double stuck() const { return std::chrono::duration<double>(watch_.stuck(now_)).count(); }
  double holding_back() const { return std::chrono::duration<double>(watch_.holding_back(now_)).count(); }

  SlowWatch watch_;
  SlowWatch::Clock::time_point now_ = SlowWatch::Clock::time_point{} + 1h;
};

TEST_F(SlowWatchTest, WhoDoesNotMoveIsStuckSinceTheFirstLook) {
  for (int i = 0; i < 31; ++i) look(true, 5, 100);
  EXPECT_NEAR(stuck(), 3.0, 1e-6);
  EXPECT_NEAR(holding_back(), 3.0, 1e-6);
}

TEST_F(SlowWatchTest, WhoCreepsIsStuckToo) {
  for (int i = 0; i < 31; ++i) look(true, std::uint64_t(5 + i), std::uint64_t(100 + i));
  EXPECT_NEAR(stuck(), 3.0, 1e-6);
}

TEST_F(SlowWatchTest, WhoTurnsThePoolOverIsNotStuckHoweverLongItIsFull) {
  for (int i = 0; i < 100; ++i) {
    look(true, std::uint64_t(50 * i), std::uint64_t(50 * i + 100));
    EXPECT_LE(stuck(), 0.2);
  }
  EXPECT_NEAR(holding_back(), 9.9, 1e-6);
}

TEST_F(SlowWatchTest, MomentsOfRoomDoNotEndAnEpisodeButCalmDoes) {
  for (int i = 0; i < 31; ++i) look(i % 3 == 0, 5, 100);
  EXPECT_NEAR(stuck(), 3.0, 1e-6);
  for (int i = 0; i < 12; ++i) look(false, 5, 100);
  EXPECT_EQ(stuck(), 0);
  EXPECT_EQ(holding_back(), 0);
}

TEST_F(SlowWatchTest, WhoHasTakenEverythingIsNotStuck) {
  for (int i = 0; i < 31; ++i) look(true, 100, 100);
  EXPECT_EQ(stuck(), 0);
  EXPECT_GT(holding_back(), 2.9);
}

}  // namespace
}  // namespace pwalk::ipc
