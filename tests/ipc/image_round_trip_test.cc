// Everything the writer puts in, the reader gives back: compared with a model on
// random hostile trees.
#include <gtest/gtest.h>

#include "ipc/image_tree.h"

namespace pwalk::image::testing {
namespace {

class ImageRoundTrip : public ::testing::Test {
 protected:
  void check(const TreeShape& shape, schema::BatchLimits limits, std::size_t commit_every, ImageAccess access) {
    const ModelTree tree = random_tree(random_, shape);
    const auto batches = publish(random_, tree, limits);
    const std::string file = scratch_.file("tree.img");
    write_image(file, tree, batches, commit_every);
    const auto results = ResultsFilesystem::open(file, access);
    ASSERT_TRUE(results) << results.error().message();
    EXPECT_EQ(results->state(), ImageState::complete);
    EXPECT_EQ(results->finished_ns(), 42);
    EXPECT_FALSE(results->abandoned());
    expect_same(*results, tree);
    expect_same_batches(*results, batches);
  }

  Random random_{test_seed()};
  ScratchDirectory scratch_;
};

TEST_F(ImageRoundTrip, RandomHostileTrees) {
  for (int round = 0; round < 60 && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    TreeShape shape;
    shape.rows = 1 + below(random_, 1500);
    shape.large_directory = one_in(random_, 3) ? below(random_, 2000) : 0;
    shape.roots = one_in(random_, 3)   ? std::vector<std::string>{"/"}
                  : one_in(random_, 2) ? std::vector<std::string>{"/srv/data", "/home", "/srv/database"}
                  : one_in(random_, 2) ? std::vector<std::string>{"/srv/x/../data", "/srv/data", "/home/.."}
                                       : std::vector<std::string>{"/srv/data"};
    const schema::BatchLimits limits{std::uint32_t(1 + below(random_, one_in(random_, 4) ? 4096 : 200)), 252 * 1024};
    check(shape, limits, 1 + below(random_, 20), one_in(random_, 3) ? ImageAccess::copy : ImageAccess::automatic);
  }
}

TEST_F(ImageRoundTrip, ALargeDirectoryAcrossManyCommits) {
  TreeShape shape;
  shape.rows = 60'000;
  shape.large_directory = 50'000;
  shape.hostile = false;
  check(shape, {500, 252 * 1024}, 3, ImageAccess::map);  // some forty segments, merged twice over
}

/// A root is called what it was given as, since a name before ".." may be a link.
TEST_F(ImageRoundTrip, ARootWithDotsIsANameLikeAnyOther) {
  ModelTree tree = random_tree(random_, {.rows = 50, .hostile = false, .roots = {"/srv/x/../data"}});
  tree.directories["/srv/x/../data"].rows["known"] = {};
  write_image(scratch_.file("dots.img"), tree, publish(random_, tree));
  const auto results = ResultsFilesystem::open(scratch_.file("dots.img"));
  ASSERT_TRUE(results) << results.error().message();
  for (const char* path : {"/srv/x/../data", "/srv/x/../data/", "/srv/x/../data/./known", "/srv/x/../data//known"})
    EXPECT_TRUE(results->stat(path)) << path;
  for (const char* path : {"/srv/data", "/srv/data/known", "/srv/x/../data/nothing", "/srv/x/../data/../data", "/srv/x/../dat"})
    EXPECT_FALSE(results->stat(path)) << path;
  EXPECT_TRUE(results->list("/srv/x/../data/"));
  for (const auto& [directory, name, known] : {std::tuple("/srv/x/..", "data", true), {"/srv/x/../data", "known", true}, {"/srv", "data", false}}) {
    const auto entry = results->entry_in(directory, name);
    ASSERT_TRUE(entry);
    EXPECT_EQ(bool(*entry), known) << directory << " " << name;
  }
}

TEST_F(ImageRoundTrip, AnEmptyScan) {
  ModelTree tree;
  tree.roots = {"/nothing"};
  write_image(scratch_.file("empty.img"), tree, {});
  const auto results = ResultsFilesystem::open(scratch_.file("empty.img"));
  ASSERT_TRUE(results) << results.error().message();
  EXPECT_EQ(results->totals(), ImageTotals{});
  EXPECT_EQ(results->stat("/nothing").error().code, ENOENT);
  EXPECT_EQ(results->list("/nothing").error().code, ENOENT);
}

TEST_F(ImageRoundTrip, TotalsAreSumsOfTheBatches) {
  const ModelTree tree = random_tree(random_, {.rows = 800});
  const auto batches = publish(random_, tree, {64, 252 * 1024});
  write_image(scratch_.file("t.img"), tree, batches);
  ImageTotals wanted;
  for (const LaneBatch& batch : batches) {
    const auto view = batch.view();
    ++wanted.batches;
    wanted.records += view.record_count();
    wanted.content_hash += view.content_hash();
    std::uint64_t sum = 0;
    wanted.file_bytes = __builtin_add_overflow(wanted.file_bytes, view.file_bytes(), &sum) ? ~std::uint64_t{0} : sum;
  }
  for (const auto& [path, directory] : tree.directories) {
    wanted.rows += directory.rows.size();
    wanted.errors += directory.entered && directory.record.error != 0;
    for (const auto& [name, entry] : directory.rows) wanted.errors += entry.known.has(schema::Column::error) && entry.error != 0;
  }
  EXPECT_EQ(ResultsFilesystem::open(scratch_.file("t.img"))->totals(), wanted);
}

}  // namespace
}  // namespace pwalk::image::testing
