#include "attendance_policy.h"

#include <gtest/gtest.h>

namespace pwalk::publish {
namespace {

using namespace std::chrono_literals;

/// A scan's world, moved by hand.
class AttendancePolicyTest : public testing::Test {
 protected:
  Decision step(Clock::duration later = 0ms) {
    facts.now += later;
    return policy.step(facts);
  }
  void attach(unsigned count = 1) {
    facts.attendance.attached += count;
    facts.attendance.ever += count;
    facts.attendance.all_finished = false;
  }
  void leave() {
    facts.attendance.attached -= 1;
    facts.attendance.all_finished = facts.attendance.attached == 0;
  }
  void take_last_batch() { facts.attendance.all_finished = true; }
  void walk_ends(bool complete = true) {
    facts.walk_ended = true;
    facts.walk_complete = complete;
  }
  void reset(AttendanceLimits limits) { policy = AttendancePolicy(limits); }
  void reset_walking(AttendanceLimits limits) {
    reset(limits);
    ASSERT_TRUE(step().start_walk);
  }

  static AttendanceLimits with_attach_timeout(Clock::duration limit) {
    AttendanceLimits limits;
    limits.attach_timeout = limit;
    return limits;
  }
  static AttendanceLimits with_linger(Clock::duration limit) {
    AttendanceLimits limits;
    limits.linger = limit;
    return limits;
  }
  static AttendanceLimits unattended() {
    AttendanceLimits limits;
    limits.reuse_unattended = true;
    return limits;
  }
  static AttendanceLimits for_consumers(unsigned count) {
    AttendanceLimits limits;
    limits.consumers = count;
    return limits;
  }

  Facts facts{Clock::time_point{} + 1h, {0, 0, true}, false, false, false, 0};
  AttendancePolicy policy{AttendanceLimits{}};
};

TEST_F(AttendancePolicyTest, walks_at_once_when_no_consumer_is_needed) {
  EXPECT_TRUE(step().start_walk);
  EXPECT_STREQ(policy.state(), "walking");
}

TEST_F(AttendancePolicyTest, waits_until_enough_are_attached_at_the_same_time) {
  reset(for_consumers(2));
  EXPECT_FALSE(step().start_walk);
  attach();
  leave();
  attach();
  EXPECT_FALSE(step(1h).start_walk) << "one came and left, one is there";
  attach();
  EXPECT_TRUE(step(100ms).start_walk);
}

TEST_F(AttendancePolicyTest, walk_waits_for_those_who_build_images) {
  facts.images_settled = false;
  EXPECT_FALSE(step().start_walk);
  EXPECT_STREQ(policy.state(), "waiting");
  facts.images_settled = true;
  EXPECT_TRUE(step(1ms).start_walk);
}

TEST_F(AttendancePolicyTest, attach_timeout_bounds_the_wait_for_the_first_consumers) {
  auto limits = for_consumers(2);
  limits.attach_timeout = 5s;
  reset(limits);
  step();
  attach();
  EXPECT_FALSE(step(4900ms).finish);
  EXPECT_EQ(step(100ms).finish, std::optional(false));
  EXPECT_FALSE(step(9s).end) << "the one who came may still learn how it ended";
  take_last_batch();
  EXPECT_EQ(step().end, std::optional(Ending::no_consumer));
}

TEST_F(AttendancePolicyTest, consumer_that_reads_everything_ends_the_scan) {
  step();
  attach();
  EXPECT_FALSE(step(1s).finish);
  walk_ends();
  EXPECT_EQ(step().finish, std::optional(true));
  EXPECT_FALSE(step(24h).end) << "a slow consumer is waited for";
  take_last_batch();
  EXPECT_EQ(step().end, std::optional(Ending::complete));
}

TEST_F(AttendancePolicyTest, incomplete_walk_is_told_as_incomplete) {
  step();
  attach();
  walk_ends(false);
  EXPECT_EQ(step().finish, std::optional(false));
}

TEST_F(AttendancePolicyTest, after_the_walk_the_first_consumer_is_waited_for_without_end) {
  step();
  walk_ends();
  step();
  EXPECT_EQ(step().notice, Notice::nobody_came);
  EXPECT_FALSE(step(720h).end);
  attach();
  EXPECT_FALSE(step(1s).end);
  take_last_batch();
  EXPECT_EQ(step().end, std::optional(Ending::complete));
}

TEST_F(AttendancePolicyTest, attach_timeout_bounds_the_wait_after_the_walk) {
  reset_walking(with_attach_timeout(3s));
  EXPECT_FALSE(step(1h).cancel_walk) << "nobody is waited for while there is room";
  walk_ends();
  step();
  step();
  EXPECT_FALSE(step(2900ms).end);
  EXPECT_EQ(step(100ms).end, std::optional(Ending::no_consumer));
}

TEST_F(AttendancePolicyTest, attach_timeout_runs_from_the_moment_the_pool_is_full) {
  reset_walking(with_attach_timeout(3s));
  step(1h);
  facts.starved = true;
  EXPECT_EQ(step().notice, Notice::pool_full);
  EXPECT_FALSE(step(2900ms).cancel_walk);
  const Decision decision = step(100ms);
  EXPECT_TRUE(decision.cancel_walk);
  EXPECT_TRUE(decision.refuse_batches);
  walk_ends(false);
  EXPECT_EQ(step().finish, std::optional(false));
  EXPECT_EQ(step().end, std::optional(Ending::no_consumer));
}

TEST_F(AttendancePolicyTest, full_pool_waits_for_the_first_consumer_without_end) {
  step();
  facts.starved = true;
  step();
  EXPECT_FALSE(step(720h).cancel_walk);
}

TEST_F(AttendancePolicyTest, last_consumer_leaving_in_the_middle_is_lingered_for) {
  step();
  attach();
  step();
  leave();
  step();
  EXPECT_FALSE(step(9900ms).cancel_walk);
  EXPECT_TRUE(step(100ms).cancel_walk);
  walk_ends(false);
  step();
  EXPECT_EQ(step().end, std::optional(Ending::no_consumer));
}

TEST_F(AttendancePolicyTest, newcomer_within_the_linger_starts_it_over) {
  step();
  attach();
  leave();
  step();
  step(9s);
  attach();
  step(100ms);
  leave();
  step();
  EXPECT_FALSE(step(9s).cancel_walk);
  EXPECT_TRUE(step(1s).cancel_walk);
}

TEST_F(AttendancePolicyTest, consumer_seen_only_in_the_count_still_left_in_the_middle) {
  step();
  facts.attendance.ever = 1;
  step();
  EXPECT_TRUE(step(10s).cancel_walk);
}

TEST_F(AttendancePolicyTest, shorter_attach_timeout_bounds_the_linger_in_the_middle) {
  reset_walking(with_attach_timeout(2s));
  attach();
  leave();
  step();
  EXPECT_TRUE(step(2s).cancel_walk);
}

TEST_F(AttendancePolicyTest, linger_after_the_walk_serves_those_who_come_later) {
  reset_walking(with_linger(5s));
  attach();
  walk_ends();
  step();
  take_last_batch();
  step();
  leave();
  EXPECT_FALSE(step(4s).end);
  attach();
  EXPECT_FALSE(step(10s).end);
  take_last_batch();
  step();
  EXPECT_FALSE(step(4900ms).end);
  EXPECT_EQ(step(100ms).end, std::optional(Ending::complete));
}

TEST_F(AttendancePolicyTest, linger_that_runs_out_after_the_walk_is_no_failure) {
  reset_walking(with_linger(0s));
  walk_ends();
  step();
  EXPECT_EQ(step().end, std::optional(Ending::complete));
}

TEST_F(AttendancePolicyTest, unattended_never_waits_and_never_stops) {
  reset_walking(unattended());
  facts.starved = true;
  EXPECT_EQ(step(1h).notice, Notice::none);
  attach();
  leave();
  step();
  EXPECT_FALSE(step(1h).cancel_walk);
  walk_ends();
  step();
  EXPECT_EQ(step().end, std::optional(Ending::complete));
}

TEST_F(AttendancePolicyTest, unattended_still_waits_for_those_who_read) {
  reset_walking(unattended());
  attach();
  walk_ends();
  step();
  EXPECT_FALSE(step(1h).end);
  take_last_batch();
  EXPECT_EQ(step().end, std::optional(Ending::complete));
}

TEST_F(AttendancePolicyTest, unattended_with_explicit_linger_waits_after_the_walk) {
  auto limits = unattended();
  limits.linger = 5s;
  reset_walking(limits);
  attach();
  leave();
  step();
  EXPECT_FALSE(step(1h).cancel_walk);
  walk_ends();
  step();
  step();
  EXPECT_FALSE(step(4s).end);
  EXPECT_EQ(step(1s).end, std::optional(Ending::complete));
}

TEST_F(AttendancePolicyTest, first_signal_gives_consumers_ten_seconds) {
  step();
  attach();
  facts.stop_requested = 1;
  const Decision decision = step();
  EXPECT_TRUE(decision.cancel_walk);
  EXPECT_FALSE(decision.refuse_batches) << "rows already found are still published";
  walk_ends(false);
  EXPECT_EQ(step(1s).finish, std::optional(false));
  EXPECT_FALSE(step(8900ms).end);
  EXPECT_EQ(step(100ms).end, std::optional(Ending::interrupted));
}

TEST_F(AttendancePolicyTest, first_signal_ends_as_soon_as_consumers_have_read) {
  step();
  attach();
  facts.stop_requested = 1;
  step();
  walk_ends(false);
  step();
  take_last_batch();
  EXPECT_EQ(step().end, std::optional(Ending::interrupted));
}

TEST_F(AttendancePolicyTest, signal_with_a_full_pool_and_nobody_there_refuses_at_once) {
  step();
  facts.starved = true;
  facts.stop_requested = 1;
  step();
  EXPECT_TRUE(step().refuse_batches);
  walk_ends(false);
  EXPECT_EQ(step().finish, std::optional(false));
  EXPECT_EQ(step().end, std::optional(Ending::interrupted));
}

TEST_F(AttendancePolicyTest, worker_that_hangs_is_not_waited_for_beyond_the_deadline) {
  step();
  attach();
  facts.stop_requested = 1;
  step();
  EXPECT_FALSE(step(9900ms).end);
  const Decision decision = step(100ms);
  EXPECT_TRUE(decision.refuse_batches);
  EXPECT_EQ(decision.end, std::optional(Ending::interrupted));
}

TEST_F(AttendancePolicyTest, second_signal_ends_at_once_in_every_state) {
  for (int state = 0; state < 3; ++state) {
    reset(state == 0 ? for_consumers(1) : AttendanceLimits{});
    facts = Facts{facts.now, {0, 0, true}, false, false, false, 0};
    step();
    attach();
    if (state == 2) walk_ends();
    step();
    facts.stop_requested = 2;
    const Decision decision = step();
    EXPECT_TRUE(decision.cancel_walk) << state;
    EXPECT_TRUE(decision.refuse_batches) << state;
    EXPECT_EQ(decision.end, std::optional(Ending::interrupted)) << state;
  }
}

TEST_F(AttendancePolicyTest, signal_before_the_walk_ends_without_one) {
  reset(for_consumers(3));
  attach();
  step();
  facts.stop_requested = 1;
  const Decision decision = step();
  EXPECT_FALSE(decision.start_walk);
  EXPECT_EQ(decision.finish, std::optional(false));
  take_last_batch();
  EXPECT_EQ(step().end, std::optional(Ending::interrupted));
}

TEST_F(AttendancePolicyTest, signal_after_a_complete_walk_that_everybody_has_cuts_nothing_short) {
  reset_walking(with_linger(1h));
  attach();
  walk_ends();
  step();
  take_last_batch();
  step();
  facts.stop_requested = 1;
  EXPECT_EQ(step().end, std::optional(Ending::complete));
}

TEST_F(AttendancePolicyTest, signal_after_the_walk_that_nobody_read_is_an_interruption) {
  step();
  walk_ends();
  step();
  facts.stop_requested = 1;
  EXPECT_EQ(step().end, std::optional(Ending::interrupted));
}

TEST_F(AttendancePolicyTest, signal_after_the_walk_leaves_readers_ten_seconds) {
  step();
  attach();
  walk_ends();
  step();
  facts.stop_requested = 1;
  EXPECT_FALSE(step(1s).end);
  EXPECT_FALSE(step(9900ms).end);
  EXPECT_EQ(step(100ms).end, std::optional(Ending::interrupted));
}

TEST_F(AttendancePolicyTest, options_become_limits) {
  PublishOptions options;
  options.consumers = 3;
  options.attach_timeout = Seconds{1.5};
  const AttendanceLimits limits = AttendanceLimits::of(options, true);
  EXPECT_EQ(limits.consumers, 3u);
  EXPECT_EQ(limits.attach_timeout, std::optional<Clock::duration>(1500ms));
  EXPECT_FALSE(limits.linger);
  EXPECT_TRUE(limits.reuse_unattended);
}

TEST(NoticeRhythmTest, grows_sparse_and_starts_over) {
  NoticeRhythm rhythm;
  Clock::time_point now{};
  EXPECT_TRUE(rhythm.due(true, now));
  EXPECT_FALSE(rhythm.due(true, now + 59s));
  EXPECT_TRUE(rhythm.due(true, now + 60s));
  EXPECT_FALSE(rhythm.due(true, now + 179s));
  EXPECT_TRUE(rhythm.due(true, now + 180s));
  EXPECT_FALSE(rhythm.due(false, now + 181s));
  EXPECT_TRUE(rhythm.due(true, now + 182s));
}

TEST_F(AttendancePolicyTest, who_holds_the_walk_back_is_told_and_nothing_else_changes) {
  attach();
  ASSERT_TRUE(step().start_walk);
  facts.starved = facts.held_back = true;
  EXPECT_EQ(step(100ms).notice, Notice::held_back);
  EXPECT_EQ(step(1s).notice, Notice::none);
  EXPECT_EQ(step(1min).notice, Notice::held_back);
  const Decision later = step(1h);
  EXPECT_FALSE(later.cancel_walk || later.end || later.refuse_batches);
}

}  // namespace
}  // namespace pwalk::publish
