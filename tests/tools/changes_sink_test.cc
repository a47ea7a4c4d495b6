#include "changes_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "ipc/image_tree.h"
#include "support/collecting_sink.h"

namespace pwalk::publish {
namespace {

using namespace image::testing;
using pwalk::testing::CollectingSink;
using Paths = std::set<std::string>;

constexpr const char* kRoot = "/srv/data";

ScanPlan plan_of_root() {
  auto plan = resolve_plan(ScanOptions{}, {kRoot});
  EXPECT_TRUE(plan);
  return *std::move(plan);
}

/// What has to be told of a tree that became another one.
struct Told {
  Paths added, changed, removed;
};

/// Changes a tree at random, and keeps account of it.
class Mutation {
 public:
  Mutation(Random& random, ModelTree& tree) : random_(random), tree_(tree) {
    for (const auto& [path, directory] : ModelTree(tree).directories)
      if (path.starts_with(kRoot) && tree_.directories.count(path)) change(path);
    tree_.settle();
  }
  const Told& told() const { return told_; }

 private:
  void change(const std::string& path) {
    auto& rows = tree_.directories[path].rows;
    for (auto row = rows.begin(); row != rows.end();) {
      const std::string at = path + "/" + row->first;
      if (one_in(random_, 6)) {
        told_.removed.insert(at);
        remove_below(at);
        row = rows.erase(row);
        continue;
      }
      if (one_in(random_, 6)) {
        told_.changed.insert(at);
        ++row->second.size;
      }
      ++row;
    }
    if (!one_in(random_, 3)) return;
    schema::Entry fresh;
    fresh.known = schema::ColumnSet::all();
    fresh.type = 'f';
    rows["a new name"] = fresh;
    told_.added.insert(path + "/a new name");
  }
  void remove_below(const std::string& top) {
    for (auto directory = tree_.directories.lower_bound(top); directory != tree_.directories.end();) {
      if (directory->first != top && !directory->first.starts_with(top + "/")) {
        if (!directory->first.starts_with(top)) break;
        ++directory;
        continue;
      }
      for (const auto& [name, row] : directory->second.rows) {
        told_.removed.insert(directory->first + "/" + name);
        told_.changed.erase(directory->first + "/" + name);
        if (told_.added.erase(directory->first + "/" + name)) told_.removed.erase(directory->first + "/" + name);
      }
      directory = tree_.directories.erase(directory);
    }
  }

  Random& random_;
  ModelTree& tree_;
  Told told_;
};

class ChangesSinkTest : public ::testing::Test {
 protected:
  ResultsFilesystem image_of(const ModelTree& tree) {
    const std::string file = scratch_.file("image" + std::to_string(images_made_++));
    write_image(file, tree, image::testing::publish(random_, tree));
    auto results = ResultsFilesystem::open(file);
    EXPECT_TRUE(results) << results.error().message();
    return *std::move(results);
  }

  /// The batches of `now` through a sink, by as many threads as the plan has workers.
  void compare(const ResultsFilesystem& before, const ModelTree& now, schema::BatchLimits limits = {.rows = 40}) {
    ScanPlan plan = plan_of_root();
    plan.most_threads = 3;
    WholeImages images({});
    ChangesSink sink(plan, lanes_, images, before);
    const auto batches = image::testing::publish(random_, now, limits);
    std::vector<std::thread> workers;
    for (unsigned worker = 0; worker < plan.most_threads; ++worker)
      workers.emplace_back([&, worker] {
        for (std::size_t at = worker; at < batches.size(); at += plan.most_threads) {
          schema::FinishedBatch batch;
          batch.bytes = batches[at].bytes->span();
          const auto taken = sink.accept(worker, batch);
          EXPECT_TRUE(taken) << taken.error().message();
        }
      });
    for (std::thread& thread : workers) thread.join();
    counts_ = sink.counts();
    problem_ = sink.problem();
  }

  Told told(const ResultsFilesystem& before) const {
    Told told;
    for (const auto& row : lanes_.rows) {
      const bool gone = row.entry.flags & schema::kVanished;
      Paths& paths = gone ? told.removed : before.stat(row.path()) ? told.changed : told.added;
      EXPECT_TRUE(paths.insert(row.path()).second) << row.path() << " is told twice";
    }
    return told;
  }

  Random random_{test_seed()};
  ScratchDirectory scratch_;
  int images_made_ = 0;
  CollectingSink lanes_;
  ChangeCounts counts_;
  std::string problem_;
};

TEST_F(ChangesSinkTest, what_differs_is_told_once) {
  for (const std::size_t large : {0, 600}) {
    ModelTree tree = random_tree(random_, {.rows = 500, .large_directory = large, .hostile = false});
    const ResultsFilesystem before = image_of(tree);
    const Mutation mutation(random_, tree);
    lanes_.rows.clear();
    compare(before, tree);
    const Told found = told(before), &wanted = mutation.told();
    EXPECT_EQ(found.added, wanted.added);
    EXPECT_EQ(found.changed, wanted.changed);
    EXPECT_EQ(found.removed, wanted.removed);
    EXPECT_EQ(counts_.added, wanted.added.size());
    EXPECT_EQ(counts_.changed, wanted.changed.size());
    EXPECT_EQ(counts_.removed, wanted.removed.size());
    EXPECT_THAT(lanes_.complaints, ::testing::IsEmpty());
  }
}

TEST_F(ChangesSinkTest, of_a_tree_that_is_as_it_was_nothing_is_told) {
  const ModelTree tree = random_tree(random_, {.rows = 300, .hostile = false});
  compare(image_of(tree), tree);
  EXPECT_EQ(lanes_.batches, 0u);
  EXPECT_EQ(counts_.added + counts_.changed + counts_.removed, 0u);
  EXPECT_EQ(counts_.unchanged, tree.rows);
}

TEST_F(ChangesSinkTest, of_another_root_all_is_added) {
  const ResultsFilesystem before = image_of(random_tree(random_, {.rows = 50, .hostile = false, .roots = {"/elsewhere"}}));
  const ModelTree tree = random_tree(random_, {.rows = 300, .hostile = false});
  compare(before, tree);
  EXPECT_EQ(counts_.added, tree.rows);
  EXPECT_EQ(lanes_.row_count, tree.rows);
}

/// Nobody knows what is in a directory that could not be read.
TEST_F(ChangesSinkTest, what_could_not_be_read_is_not_gone) {
  ModelTree tree;
  tree.roots = {kRoot};
  schema::Entry directory;
  directory.known = schema::ColumnSet::all();
  directory.type = 'd';
  tree.directories["/srv"].entered = false;
  tree.directories["/srv"].rows["data"] = directory;
  tree.directories[kRoot].rows["shut"] = directory;
  tree.directories[std::string(kRoot) + "/shut"].rows["inside"] = directory;
  tree.settle();
  const ResultsFilesystem before = image_of(tree);
  ModelDirectory& shut = tree.directories[std::string(kRoot) + "/shut"];
  shut.rows.clear();
  shut.record = {};
  shut.record.error = EACCES;
  shut.record.operation = schema::Operation::open;
  compare(before, tree);
  EXPECT_EQ(counts_.removed, 0u);
  EXPECT_THAT(lanes_.rows, ::testing::IsEmpty());
  ASSERT_EQ(lanes_.records.size(), 1u);
  EXPECT_EQ(lanes_.records.begin()->second[0].error, std::uint32_t{EACCES});
}

TEST_F(ChangesSinkTest, a_damaged_image_is_told_with_its_offset) {
  const ModelTree tree = random_tree(random_, {.rows = 300, .hostile = false});
  const std::string file = scratch_.file("damaged");
  write_image(file, tree, image::testing::publish(random_, tree));
  std::uint64_t first = 0;
  {
    const auto sound = ResultsFilesystem::open(file);
    ASSERT_TRUE(sound);
    const auto batch = sound->batch(0);
    ASSERT_TRUE(batch);
    auto bytes = read_file(file);
    const auto span = batch->view->bytes();
    const auto at = std::search(bytes.begin(), bytes.end(), span.begin(), span.end());
    ASSERT_NE(at, bytes.end());
    first = std::uint64_t(at - bytes.begin());
    bytes[first + span.size() / 2] ^= std::byte{1};
    write_file(file, bytes);
  }
  const auto before = ResultsFilesystem::open(file);
  ASSERT_TRUE(before);
  ScanPlan plan = plan_of_root();
  WholeImages images({});
  ChangesSink sink(plan, lanes_, images, *before);
  bool refused = false;
  for (const LaneBatch& batch : image::testing::publish(random_, tree)) {
    schema::FinishedBatch finished;
    finished.bytes = batch.bytes->span();
    refused |= !sink.accept(0, finished);
  }
  EXPECT_TRUE(refused);
  EXPECT_THAT(sink.problem(), ::testing::HasSubstr("at offset " + std::to_string(first)));
}

}  // namespace
}  // namespace pwalk::publish
