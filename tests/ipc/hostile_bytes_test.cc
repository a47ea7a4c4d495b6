#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "ipc/attach_fuzz.h"
#include "ipc/returns_fuzz.h"
#include "ipc/scan_fixture.h"
#include "ipc/stream_fuzz.h"

/// The fuzzers' own functions on a bounded sample of what they are fed; tests/fuzz has the programs.
namespace pwalk::ipc {
namespace {

constexpr int kInputs = 3000, kMostInputs = 100'000;

/// Calls `tried` with inputs of random bytes, beyond kInputs for as long as nothing of some kind came, which
/// `all_came` tells: what is rare must have been tried, whatever the seed.
template <class Function, class AllCame>
void sample(Function&& tried, AllCame&& all_came) {
  std::mt19937_64 random(testing::test_seed());
  for (int round = 0; round < kInputs || (round < kMostInputs && !all_came()); ++round) {
    std::vector<std::uint8_t> input(random() % 300);
    for (std::uint8_t& byte : input) byte = std::uint8_t(random());
    tried(input);
  }
}

TEST(HostileBytesTest, AtTheSocketAreAnsweredOrShownOut) {
  testing::AttachOutcome all;
  sample(
      [&](std::span<const std::uint8_t> input) {
        const auto outcome = testing::attach_fuzz(input);
        all.admitted += outcome.admitted, all.told_status += outcome.told_status;
      },
      [&] { return all.admitted && all.told_status; });
  // Else nothing beyond the door was tried.
  EXPECT_GT(all.admitted, 0u);
  EXPECT_GT(all.told_status, 0u);
}

TEST(HostileBytesTest, OfAScannerAreErrorsOrCanBeReadToTheLastRow) {
  testing::StreamOutcome all;
  sample(
      [&](std::span<const std::uint8_t> input) {
        const auto outcome = testing::stream_fuzz(input);
        all.read += outcome.read, all.failed += outcome.failed, all.ended += outcome.ended;
      },
      [&] { return all.read && all.failed && all.ended; });
  EXPECT_GT(all.read, 0u);
  EXPECT_GT(all.failed, 0u);
  EXPECT_GT(all.ended, 0u);
}

/// Found by the fuzzer: a header whose pool has 0 bytes, and one batch.
TEST(HostileBytesTest, OfAScannerWithAnEmptyPoolAreAnError) {
  const std::vector<std::uint8_t> found{0xda, 0, 0, 0xa2, 1, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(testing::stream_fuzz(found).read, 0u);
}

/// Found by the fuzzer: a state of the stream that is no state, so that it neither goes on nor is over.
TEST(HostileBytesTest, OfAScannerInNoStateEndTheWaitInTime) {
  const std::vector<std::uint8_t> found{'q', '2', 9, 0xa3, 0x8e};
  EXPECT_EQ(testing::stream_fuzz(found).read, 0u);
}

TEST(HostileBytesTest, OfConsumersHarmNoOtherConsumer) {
  testing::ReturnsOutcome all;
  sample(
      [&](std::span<const std::uint8_t> input) {
        const auto outcome = testing::returns_fuzz(input);
        all.given_back += outcome.given_back, all.expelled += outcome.expelled;
      },
      [&] { return all.given_back && all.expelled; });
  EXPECT_GT(all.given_back, 0u);
  EXPECT_GT(all.expelled, 0u);
}

}  // namespace
}  // namespace pwalk::ipc
