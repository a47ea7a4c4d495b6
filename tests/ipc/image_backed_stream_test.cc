// A running scan, read from its image and its lanes.
#include "image_backed_stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "ipc/image_tree.h"
#include "ipc/scan_fixture.h"
#include "pwalk/image/image_writer.h"
#include "pwalk/ipc/consumer.h"

namespace pwalk::ipc {
namespace {

using namespace std::chrono_literals;
using image::ImageState;
using image::testing::below;
using image::testing::one_in;
using image::testing::Random;
using testing::BatchSource;
using testing::RowTally;
using testing::ServedScan;

/// A scan of a 2 MiB pool whose image is built, as the scanner does it, by a consumer.
class ImageBackedStreamTest : public ::testing::Test {
 protected:
  ImageBackedStreamTest() {
    image::ScanFacts facts;
    facts.name = "home";
    facts.roots = {"/numbered"};
    writer_.emplace(*image::ImageWriter::create(scratch_.file("home.img"), facts));
    scan_->offer_image(writer_->partial_file(), true);
    builder_ = std::thread([this] { build(); });
    EXPECT_TRUE(testing::eventually([&] { return scan_->attendance().attached == 1; }));
  }
  ~ImageBackedStreamTest() override { end_builder(); }

  void build() {
    auto consumer = Consumer::attach({.scan = "home", .use_image = false, .label = "image"});
    while (consumer && !given_up_ && consumer->end() == StreamEnd::running) {
      auto batch = consumer->next(5ms);
      if (!batch) break;
      if (*batch) {
        ASSERT_TRUE(writer_->append((*batch)->lane(), (*batch)->sequence(), (*batch)->view()));
      }
      if (*batch ? ++appended_ % commit_every_ == 0 : true) {
        ASSERT_TRUE(writer_->commit());
      }
    }
    if (given_up_ || !consumer) {
      writer_.reset();
    } else {
      ASSERT_TRUE(writer_->finish(consumer->end() == StreamEnd::complete ? ImageState::complete : ImageState::cut_short, 1));
    }
  }
  void end_builder() {
    given_up_ = true;
    if (builder_.joinable()) builder_.join();
  }

  void publish(int batches) {
    for (int i = 0; i < batches; ++i) ASSERT_TRUE(scan_->publish(unsigned(below(random_, 8)), source_.make(100 + std::uint32_t(below(random_, 900)))));
  }
  /// Until what came first is gone.
  void lose_the_first() {
    Result<Consumer> early = Consumer::attach({.scan = "home", .use_image = false});
    while (early) {
      early->detach();
      publish(20);
      early = Consumer::attach({.scan = "home", .use_image = false});
    }
    ASSERT_EQ(early.error().code, ENODATA);
  }
  void read_to_the_end(Consumer& consumer, RowTally& tally) {
    Random pauses{image::testing::test_seed()};  // of its own: the publisher draws from the other meanwhile
    while (consumer.end() == StreamEnd::running) {
      auto batch = consumer.next(20s);
      ASSERT_TRUE(batch) << batch.error().message();
      if (*batch) tally.add((*batch)->view());
      if (one_in(pauses, 20)) std::this_thread::sleep_for(1ms);
    }
  }
  /// Every row came exactly once. When nothing is published any more.
  void expect_all(const Consumer& consumer, const RowTally& tally, StreamEnd end) {
    EXPECT_EQ(consumer.end(), end);
    EXPECT_EQ(tally.missing_or_doubled(source_.rows_made()), "");
    EXPECT_EQ(consumer.stats().rows, source_.rows_made());
    EXPECT_EQ(consumer.stats().missed_rows, 0u);
  }

  testing::RuntimeDirectory runtime_;
  image::testing::ScratchDirectory scratch_;
  Random random_{image::testing::test_seed()};
  ServedScan scan_{"home"};
  BatchSource source_;
  std::optional<image::ImageWriter> writer_;
  std::thread builder_;
  std::atomic<bool> given_up_{false};
  std::atomic<unsigned> commit_every_{7};
  unsigned appended_ = 0;
};

TEST_F(ImageBackedStreamTest, WhoComesLateMissesNothing) {
  lose_the_first();
  auto consumer = Consumer::attach({.scan = "home"});
  ASSERT_TRUE(consumer) << consumer.error().message();
  std::thread walk([&] {
    publish(300);
    scan_->finish(true);
  });
  RowTally tally;
  read_to_the_end(*consumer, tally);
  walk.join();
  expect_all(*consumer, tally, StreamEnd::complete);
}

TEST_F(ImageBackedStreamTest, GoesOverToTheLanesWhileTheScanRuns) {
  lose_the_first();
  auto consumer = Consumer::attach({.scan = "home", .columns = schema::ColumnSet{schema::Column::inode}});
  ASSERT_TRUE(consumer);
  RowTally tally;
  const auto read_on = [&] {
    auto batch = consumer->next(5ms);
    ASSERT_TRUE(batch) << batch.error().message();
    if (!*batch) return;
    EXPECT_EQ((*batch)->view().columns(), schema::ColumnSet{schema::Column::inode});
    tally.add((*batch)->view());
  };
  ASSERT_TRUE(testing::eventually([&] { return read_on(), scan_->attendance().attached == 2; }));
  // What comes now is not committed any more, so it can only come through the lanes.
  commit_every_ = 1u << 30;
  publish(5);
  scan_->finish(true);
  while (consumer->end() == StreamEnd::running) read_on();
  EXPECT_EQ(tally.missing_or_doubled(source_.rows_made()), "");
  EXPECT_EQ(consumer->end(), StreamEnd::complete);
}

TEST_F(ImageBackedStreamTest, AScanThatWasCutShortEndsSo) {
  lose_the_first();
  auto consumer = Consumer::attach({.scan = "home"});
  ASSERT_TRUE(consumer);
  scan_->finish(false);
  RowTally tally;
  read_to_the_end(*consumer, tally);
  expect_all(*consumer, tally, StreamEnd::cut_short);
}

TEST_F(ImageBackedStreamTest, AnImageThatEndsEarlySaysWhatIsMissing) {
  lose_the_first();
  auto consumer = Consumer::attach({.scan = "home"});
  ASSERT_TRUE(consumer);
  commit_every_ = 1u << 30;
  publish(40);
  end_builder();
  Result<std::optional<BatchLease>> batch;
  do batch = consumer->next(20s);
  while (batch && *batch);
  // Either the lanes still had the rest, and wait for more, or it is said.
  if (batch) return;
  EXPECT_EQ(batch.error().code, ENODATA) << batch.error().message();
}

TEST_F(ImageBackedStreamTest, OneThatStartsInTheLanesStaysThere) {
  publish(3);
  auto consumer = Consumer::attach({.scan = "home"});
  ASSERT_TRUE(consumer);
  EXPECT_TRUE(testing::eventually([&] { return scan_->attendance().attached == 2; }));
  scan_->finish(true);
  RowTally tally;
  read_to_the_end(*consumer, tally);
  expect_all(*consumer, tally, StreamEnd::complete);
}

}  // namespace
}  // namespace pwalk::ipc
