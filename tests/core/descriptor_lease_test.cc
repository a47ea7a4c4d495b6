#include "descriptor_lease.h"

#include <gtest/gtest.h>

namespace pwalk::testing {
namespace {

using Opening = DescriptorLease::Opening;

TEST(DescriptorLease, IsGivenBackOnlyWithoutPins) {
  DescriptorLease lease;
  EXPECT_EQ(lease.try_pin(), -1);
  ASSERT_TRUE(lease.install(7, Opening::first));
  EXPECT_FALSE(lease.install(8, Opening::first));
  EXPECT_EQ(lease.try_pin(), 7);
  lease.unpin();
  EXPECT_EQ(lease.take_idle(), -1);
  lease.unpin();
  EXPECT_EQ(lease.take_idle(), 7);
  EXPECT_EQ(lease.try_pin(), -1);
}

TEST(DescriptorLease, ThePlaceIsLostWithTheDescriptorItWasIn) {
  DescriptorLease lease;
  ASSERT_TRUE(lease.install(7, Opening::first));
  EXPECT_FALSE(lease.lost_place());
  lease.keep_place();
  lease.unpin();
  ASSERT_EQ(lease.try_pin(), 7);
  EXPECT_FALSE(lease.lost_place()) << "nobody closed it";
  lease.unpin();
  ASSERT_EQ(lease.take_idle(), 7);
  ASSERT_TRUE(lease.install(9, Opening::again));
  lease.unpin();
  ASSERT_EQ(lease.try_pin(), 9);
  EXPECT_TRUE(lease.lost_place());
  lease.keep_place();
  EXPECT_FALSE(lease.lost_place());
}

// Two reopen it at once: the slower one finds that his descriptor is not needed, until it is given back again,
// when it is. The reader has been there in between and must learn of it.
TEST(DescriptorLease, ThePlaceIsLostToWhoeverOpensItAgain) {
  DescriptorLease lease;
  ASSERT_TRUE(lease.install(7, Opening::first));
  lease.keep_place();
  lease.unpin();
  ASSERT_EQ(lease.take_idle(), 7);
  ASSERT_TRUE(lease.install(9, Opening::again));
  lease.keep_place();
  lease.unpin();
  ASSERT_EQ(lease.take_idle(), 9);
  ASSERT_TRUE(lease.install(11, Opening::again));
  EXPECT_TRUE(lease.lost_place());
  EXPECT_EQ(lease.take_idle(), -1) << "a mark is no pin, but there is one";
  lease.unpin();
  EXPECT_EQ(lease.take_idle(), 11);
}

}  // namespace
}  // namespace pwalk::testing
