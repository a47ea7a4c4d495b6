// Readers of an image that grows, is replaced, or is read by many threads.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "ipc/image_tree.h"
#include "pwalk/image/tree_walk.h"

namespace pwalk::image::testing {
namespace {

class ImageGrowth : public ::testing::Test {
 protected:
  Random random_{test_seed()};
  ScratchDirectory scratch_;
  std::string file_ = scratch_.file("grow.img");
};

/// Rows of the first `batches`, by path, as a model that knows only those.
std::map<std::string, std::size_t> rows_of(const std::vector<LaneBatch>& batches, std::size_t count) {
  std::map<std::string, std::size_t> paths;
  for (std::size_t i = 0; i < count; ++i) {
    const auto view = batches[i].view();
    for (std::uint32_t row = 0; row < view.rows(); ++row) ++paths[view.path(row)];
  }
  return paths;
}

TEST_F(ImageGrowth, EachCommitIsReadableAndHandlesKeepTheirs) {
  const ModelTree tree = random_tree(random_, {.rows = 900, .large_directory = 400, .hostile = false});
  const auto batches = publish(random_, tree, {50, 252 * 1024});
  auto writer = ImageWriter::create(file_, facts_of(tree));
  ASSERT_TRUE(writer);
  auto first = ResultsFilesystem::open(writer->partial_file());
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(first->totals().rows, 0u);
  EXPECT_EQ(first->state(), ImageState::growing);
  EXPECT_FALSE(first->abandoned());
  auto latest = *first;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    ASSERT_TRUE(writer->append(batches[i].lane, batches[i].sequence, batches[i].view()));
    EXPECT_EQ(latest.refreshed()->totals().batches, latest.totals().batches) << "uncommitted batches must not show";
    if (!one_in(random_, 3)) continue;
    ASSERT_TRUE(writer->commit());
    const auto fresh = latest.refreshed();
    ASSERT_TRUE(fresh) << fresh.error().message();
    latest = *fresh;
    ASSERT_EQ(latest.totals().batches, i + 1);
    for (const auto& [path, times] : rows_of(batches, i + 1)) ASSERT_TRUE(latest.stat(path)) << path;
  }
  EXPECT_EQ(first->totals().rows, 0u);
  ASSERT_TRUE(writer->finish(ImageState::complete, 1));
  expect_same(*latest.refreshed(), tree);
  expect_same(*ResultsFilesystem::open(file_), tree);
  EXPECT_EQ(ResultsFilesystem::open(file_ + ".partial").error().code, ENOENT);
}

TEST_F(ImageGrowth, LanePositionsSayWhatIsInIt) {
  const ModelTree tree = random_tree(random_, {.rows = 600, .hostile = false});
  const auto batches = publish(random_, tree, {40, 252 * 1024});
  write_image(file_, tree, batches);
  std::map<std::uint32_t, std::uint64_t> next;
  for (const LaneBatch& batch : batches) next[batch.lane] = batch.sequence + 1;
  const auto results = ResultsFilesystem::open(file_);
  ASSERT_EQ(results->lanes().size(), next.size());
  for (const LanePosition& lane : results->lanes()) EXPECT_EQ(lane.next, next[lane.lane]);
}

TEST_F(ImageGrowth, OpeningWhileItGrowsAlwaysWorks) {
  const ModelTree tree = random_tree(random_, {.rows = 3000, .hostile = false});
  const auto batches = publish(random_, tree, {32, 252 * 1024});
  std::vector<std::uint64_t> hashes{0};
  for (const LaneBatch& batch : batches) hashes.push_back(hashes.back() + batch.view().content_hash());
  auto writer = ImageWriter::create(file_, facts_of(tree));
  ASSERT_TRUE(writer);
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> opened{0};
  std::thread reader([&] {
    while (!done) {
      const auto results = ResultsFilesystem::open(writer->partial_file(), opened % 2 ? ImageAccess::map : ImageAccess::copy);
      ASSERT_TRUE(results) << results.error().message();
      ASSERT_EQ(results->totals().content_hash, hashes[results->totals().batches]);
      ASSERT_TRUE(results->totals().batches == 0 || results->batch(results->totals().batches - 1));
      ++opened;
    }
  });
  for (const LaneBatch& batch : batches) {
    EXPECT_TRUE(writer->append(batch.lane, batch.sequence, batch.view()));
    EXPECT_TRUE(writer->commit());
  }
  for (int waits = 0; opened < 50 && waits < 10'000; ++waits) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  done = true;
  reader.join();
  EXPECT_GE(opened, 50u);
}

TEST_F(ImageGrowth, ReadersKeepTheImageThatWasReplaced) {
  const ModelTree old_tree = random_tree(random_, {.rows = 300}), new_tree = random_tree(random_, {.rows = 300});
  write_image(file_, old_tree, publish(random_, old_tree));
  const auto old_results = ResultsFilesystem::open(file_);
  ASSERT_TRUE(old_results);
  write_image(file_, new_tree, publish(random_, new_tree));
  expect_same(*old_results, old_tree);
  expect_same(*old_results->refreshed(), old_tree);
  expect_same(*ResultsFilesystem::open(file_), new_tree);
}

TEST_F(ImageGrowth, AnUnfinishedImageNeverReplacesTheOldOne) {
  const ModelTree old_tree = random_tree(random_, {.rows = 100}), new_tree = random_tree(random_, {.rows = 100});
  write_image(file_, old_tree, publish(random_, old_tree));
  {
    auto writer = ImageWriter::create(file_, facts_of(new_tree));
    ASSERT_TRUE(writer);
    for (const LaneBatch& batch : publish(random_, new_tree)) ASSERT_TRUE(writer->append(batch.lane, batch.sequence, batch.view()));
    ASSERT_TRUE(writer->commit());
  }
  expect_same(*ResultsFilesystem::open(file_), old_tree);
  EXPECT_EQ(ResultsFilesystem::open(file_ + ".partial").error().code, ENOENT);
}

TEST_F(ImageGrowth, ManyThreadsReadOneHandle) {
  const ModelTree tree = random_tree(random_, {.rows = 2000, .large_directory = 900, .hostile = false});
  write_image(file_, tree, publish(random_, tree, {64, 252 * 1024}), 5);
  std::vector<std::string> paths;
  for (const auto& [path, directory] : tree.directories)
    for (const auto& [name, entry] : directory.rows) paths.push_back(path + "/" + name);
  for (const ImageAccess access : {ImageAccess::map, ImageAccess::copy}) {
    const auto results = ResultsFilesystem::open(file_, access);
    std::vector<std::thread> readers;
    for (int i = 0; i < 4; ++i)
      readers.emplace_back([&, seed = random_()] {
        Random own(seed);
        Listing listing;
        for (int n = 0; n < 3000; ++n) {
          const std::string& path = paths[below(own, paths.size())];
          const auto entry = results->stat(path);
          ASSERT_TRUE(entry) << path << ": " << entry.error().message();
          ASSERT_TRUE(!entry->is_directory() || results->list(path, listing));
        }
      });
    for (std::thread& reader : readers) reader.join();
  }
}

TEST_F(ImageGrowth, OverlappingRootsShowANameOnce) {
  ModelTree tree = random_tree(random_, {.rows = 400, .hostile = false, .roots = {"/srv"}});
  auto batches = publish(random_, tree);
  const auto again = publish(random_, tree);
  for (LaneBatch batch : again) {
    batch.lane += 10;
    batches.push_back(batch);
  }
  tree.roots = {"/srv", "/srv"};
  write_image(file_, tree, batches, 2);
  tree.rows *= 2;
  const auto results = ResultsFilesystem::open(file_);
  ASSERT_TRUE(results);
  expect_same_batches(*results, batches);
  for (const auto& [path, directory] : tree.directories) {
    if (path.empty()) continue;
    EXPECT_EQ(results->list(path)->size(), directory.rows.size()) << path;
  }
}

}  // namespace
}  // namespace pwalk::image::testing
