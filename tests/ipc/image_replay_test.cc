// An image read as if it were a scan.
#include "image_replay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "ipc/image_tree.h"
#include "ipc/scan_fixture.h"
#include "pwalk/ipc/consumer.h"
#include "pwalk/ipc/kept_images.h"
#include "pwalk/schema/row_hash.h"

namespace pwalk::ipc {
namespace {

using namespace std::chrono_literals;
using image::ImageState;
using image::ImageWriter;
using image::testing::LaneBatch;
using image::testing::ModelTree;
using image::testing::Random;
using image::testing::ScratchDirectory;

struct Replay {
  std::vector<BatchLease> batches;
  StreamEnd end = StreamEnd::running;
  ConsumerStats stats;
  Error error{0, ""};

  std::vector<std::string> paths() const {
    std::vector<std::string> paths;
    for (const BatchLease& batch : batches)
      for (std::uint32_t row = 0; row < batch.view().rows(); ++row) paths.push_back(batch.view().path(row));
    std::sort(paths.begin(), paths.end());
    return paths;
  }
};

template <class Source>
Replay read_all(Source&& source) {
  Replay replay;
  for (;;) {
    auto lease = source.next(20s);
    if (!lease) replay.error = lease.error();
    if (!lease || !*lease) break;
    replay.batches.push_back(**std::move(lease));
  }
  replay.end = source.end();
  replay.stats = source.stats();
  return replay;
}

class ImageReplayTest : public ::testing::Test {
 protected:
  ImageReplayTest() {
    while (batches_.size() <= 4) {  // a random tree may be a small one
      tree_ = image::testing::random_tree(random_, {.rows = 700});
      batches_ = publish(random_, tree_, {40, 252 * 1024});
    }
  }
  void write() { write_image(file_, tree_, batches_, 3); }
  void append(ImageWriter& writer, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i)
      ASSERT_TRUE(writer.append(batches_[i].lane, batches_[i].sequence, batches_[i].view()));
  }
  Replay replay(const AttachOptions& options = {}, ImageAccess access = ImageAccess::map) {
    return read_all(ImageReplay(*ResultsFilesystem::open(file_, access), options));
  }
  std::vector<std::string> all_paths() const {
    std::vector<std::string> paths;
    for (const LaneBatch& batch : batches_)
      for (std::uint32_t row = 0; row < batch.view().rows(); ++row) paths.push_back(batch.view().path(row));
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  testing::RuntimeDirectory runtime_;
  ScratchDirectory scratch_;
  Random random_{image::testing::test_seed()};
  ModelTree tree_;
  std::vector<LaneBatch> batches_;
  std::string file_ = scratch_.file("tree.img");
};

TEST_F(ImageReplayTest, IsTheStreamItWasBuiltFrom) {
  write();
  for (const ImageAccess access : {ImageAccess::map, ImageAccess::copy}) {
    const Replay got = replay({}, access);
    EXPECT_EQ(got.end, StreamEnd::complete) << got.error.what;
    ASSERT_EQ(got.batches.size(), batches_.size());
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < batches_.size(); ++i) {
      EXPECT_EQ(got.batches[i].lane(), batches_[i].lane);
      EXPECT_EQ(got.batches[i].sequence(), batches_[i].sequence);
      const auto mine = got.batches[i].view().bytes(), theirs = batches_[i].view().bytes();
      EXPECT_TRUE(std::equal(mine.begin(), mine.end(), theirs.begin(), theirs.end()));
      hash += hash_rows(batches_[i].view());
    }
    EXPECT_EQ(got.stats.content_hash, hash);
    EXPECT_EQ(got.stats.rows, tree_.rows);
  }
}

TEST_F(ImageReplayTest, LiesInTheMappingAndOutlivesEverything) {
  write();
  Replay got;
  {
    ImageReplay source(*ResultsFilesystem::open(file_, ImageAccess::map), {});
    got.batches.push_back(**source.next(0ms));
    EXPECT_TRUE(source.in_pool(got.batches[0].view().name_bytes().data()));
    EXPECT_FALSE(source.in_pool(batches_[0].bytes.get()));
  }
  ASSERT_EQ(::unlink(file_.c_str()), 0);
  EXPECT_EQ(got.batches[0].view().path(0), batches_[0].view().path(0));
}

TEST_F(ImageReplayTest, RanksShareTheRows) {
  write();
  for (const std::uint32_t world : {1u, 2u, 7u, 50u}) {
    std::vector<std::string> paths;
    for (std::uint32_t rank = 0; rank < world; ++rank) {
      const Replay share = replay({.rank = rank, .world = world});
      EXPECT_EQ(share.end, StreamEnd::complete) << share.error.what;
      const auto more = share.paths();
      paths.insert(paths.end(), more.begin(), more.end());
    }
    std::sort(paths.begin(), paths.end());
    EXPECT_EQ(paths, all_paths()) << world;
  }
}

TEST_F(ImageReplayTest, ShowsTheColumnsAskedFor) {
  write();
  const Replay got = replay({.columns = schema::ColumnSet{schema::Column::size}});
  EXPECT_EQ(got.paths(), all_paths());
  for (const BatchLease& batch : got.batches) {
    EXPECT_EQ(batch.view().columns(), schema::ColumnSet{schema::Column::size});
    EXPECT_FALSE(batch.view().column(schema::Column::mtime));
  }
  EXPECT_EQ(got.stats.rows, tree_.rows);
}

TEST_F(ImageReplayTest, FollowsAnImageThatGrows) {
  auto writer = ImageWriter::create(file_, facts_of(tree_));
  ASSERT_TRUE(writer);
  ImageReplay source(*ResultsFilesystem::open(writer->partial_file()), {});
  EXPECT_FALSE(*source.next(0ms));
  EXPECT_EQ(source.end(), StreamEnd::running);
  std::thread builder([&] {
    for (std::size_t i = 0; i < batches_.size(); ++i) {
      append(*writer, i, i + 1);
      if (i % 3 == 0) {
        ASSERT_TRUE(writer->commit());
      }
    }
    ASSERT_TRUE(writer->finish(ImageState::cut_short, 1));
  });
  const Replay got = read_all(source);
  builder.join();
  EXPECT_EQ(got.end, StreamEnd::cut_short) << got.error.what;
  EXPECT_EQ(got.paths(), all_paths());
}

TEST_F(ImageReplayTest, OneThatNobodyFinishesEndsAfterItsLastCommit) {
  ASSERT_GT(batches_.size(), 4u);
  auto writer = std::optional(ImageWriter::create(file_, facts_of(tree_)));
  append(**writer, 0, 3);
  ASSERT_TRUE((*writer)->commit());
  append(**writer, 3, 4);
  ImageReplay source(*ResultsFilesystem::open((*writer)->partial_file()), {});
  writer.reset();
  const Replay got = read_all(source);
  EXPECT_EQ(got.end, StreamEnd::scanner_died);
  EXPECT_EQ(got.batches.size(), 3u);
}

TEST_F(ImageReplayTest, ADamagedBatchIsAnErrorThatStays) {
  write();
  auto bytes = image::testing::read_file(file_);
  const auto second = batches_[1].view().bytes();
  const auto at = std::search(bytes.begin(), bytes.end(), second.begin(), second.end());
  ASSERT_NE(at, bytes.end());
  *(at + 100) ^= std::byte{4};
  image::testing::write_file(file_, bytes);
  ImageReplay source(*ResultsFilesystem::open(file_), {});
  EXPECT_TRUE(*source.next(0ms));
  for (int i = 0; i < 2; ++i) {
    const auto error = source.next(0ms);
    ASSERT_FALSE(error);
    EXPECT_EQ(error.error().code, EPROTO);
    EXPECT_NE(error.error().what.find("offset " + std::to_string(at - bytes.begin())), std::string::npos);
  }
}

TEST_F(ImageReplayTest, AttachingFindsFilesAndKeptImages) {
  write();
  write_image(*kept_image_file(runtime_.path(), "kept"), tree_, batches_);
  for (const std::string& scan : {file_, std::string("kept"), std::string(), tree_.roots[0]}) {
    auto consumer = Consumer::attach({.scan = scan});
    ASSERT_TRUE(consumer) << scan << ": " << consumer.error().message();
    EXPECT_NE(consumer->image_file(), "");
    const Replay got = read_all(*consumer);
    EXPECT_EQ(got.paths(), all_paths());
  }
  EXPECT_EQ(Consumer::attach({.scan = "other"}).error().code, ENOENT);
  EXPECT_EQ(Consumer::attach({.scan = "/other.img"}).error().code, ENOENT);
  EXPECT_EQ(Consumer::attach({.scan = file_, .rank = 2, .world = 2}).error().code, EINVAL);
  EXPECT_EQ(Consumer::attach({.scan = file_, .group = "loaders"}).error().code, EINVAL);
}

TEST_F(ImageReplayTest, AScanThatRunsComesBeforeItsImage) {
  write_image(*kept_image_file(runtime_.path(), "home"), tree_, batches_);
  testing::ServedScan scan("home");
  EXPECT_EQ(Consumer::attach({.scan = "home"})->image_file(), "");
}

TEST_F(ImageReplayTest, AFileOfTheScansNameIsNoImage) {
  const std::string before = std::filesystem::current_path();
  std::filesystem::current_path(scratch_.path());
  std::ofstream("home") << "a letter";
  EXPECT_EQ(Consumer::attach({.scan = "home"}).error().code, ENOENT);
  EXPECT_EQ(Consumer::attach({.scan = "./home"}).error().code, EPROTO);
  std::filesystem::current_path(before);
}

}  // namespace
}  // namespace pwalk::ipc
