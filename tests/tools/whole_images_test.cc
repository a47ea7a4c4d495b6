#include "whole_images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "ipc/image_tree.h"

namespace pwalk::publish {
namespace {

using namespace image::testing;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class WholeImagesTest : public ::testing::Test {
 protected:
  ImageJob job(const std::string& name, std::uint64_t most_bytes = 0, bool keep_when_cut_short = false) {
    image::WriterOptions options;
    options.max_bytes = most_bytes;
    auto writer = image::ImageWriter::create(scratch_.file(name), facts_of(tree_), options);
    EXPECT_TRUE(writer) << writer.error().message();
    return {*std::move(writer), scratch_.file(name), keep_when_cut_short};
  }
  static std::vector<ImageJob> jobs(ImageJob first) {
    std::vector<ImageJob> list;
    list.push_back(std::move(first));
    return list;
  }
  /// By several threads at once.
  void append_all(WholeImages& images) {
    std::vector<std::thread> threads;
    for (std::size_t number = 0; number < 3; ++number)
      threads.emplace_back([&, number] {
        for (std::size_t at = number; at < batches_.size(); at += 3) images.append(batches_[at].view());
      });
    for (std::thread& thread : threads) thread.join();
  }
  bool is_there(const std::string& name) const { return std::filesystem::exists(scratch_.file(name)); }

  Random random_{test_seed()};
  ScratchDirectory scratch_;
  const ModelTree tree_ = random_tree(random_, {.rows = 800});
  const std::vector<LaneBatch> batches_ = image::testing::publish(random_, tree_, {.rows = 50});
};

TEST_F(WholeImagesTest, each_has_everything) {
  auto list = jobs(job("one"));
  list.push_back(job("two"));
  WholeImages images(std::move(list));
  append_all(images);
  for (const ImageOutcome& outcome : images.finish(true)) {
    EXPECT_THAT(outcome.problem, IsEmpty());
    EXPECT_TRUE(outcome.complete);
    const auto results = ResultsFilesystem::open(outcome.file);
    ASSERT_TRUE(results) << results.error().message();
    EXPECT_EQ(outcome.bytes, std::filesystem::file_size(outcome.file));
    expect_same(*results, tree_);
  }
}

TEST_F(WholeImagesTest, one_that_fails_leaves_the_other_alone) {
  auto list = jobs(job("small", 20'000));
  list.push_back(job("whole"));
  WholeImages images(std::move(list));
  append_all(images);
  const auto outcomes = images.finish(true);
  ASSERT_EQ(outcomes.size(), 2u);
  EXPECT_THAT(outcomes[0].problem, HasSubstr("limit of 20000 bytes"));
  EXPECT_FALSE(is_there("small") || is_there("small.partial"));
  EXPECT_THAT(outcomes[1].problem, IsEmpty());
  const auto results = ResultsFilesystem::open(scratch_.file("whole"));
  ASSERT_TRUE(results);
  expect_same(*results, tree_);
}

TEST_F(WholeImagesTest, cut_short_they_are_kept_only_if_that_was_asked) {
  auto list = jobs(job("saved"));
  list.push_back(job("kept", 0, true));
  WholeImages images(std::move(list));
  images.append(batches_[0].view());
  const auto outcomes = images.finish(false);
  EXPECT_THAT(outcomes[0].problem, HasSubstr("cut short"));
  EXPECT_FALSE(is_there("saved") || is_there("saved.partial"));
  EXPECT_THAT(outcomes[1].problem, IsEmpty());
  EXPECT_FALSE(outcomes[1].complete);
  const auto results = ResultsFilesystem::open(scratch_.file("kept"));
  ASSERT_TRUE(results);
  EXPECT_EQ(results->state(), image::ImageState::cut_short);
  EXPECT_EQ(results->totals().batches, 1u);
}

TEST_F(WholeImagesTest, what_is_due_can_be_read_before_the_end) {
  image::WriterOptions options;
  options.commit_age = std::chrono::milliseconds(0);
  auto writer = image::ImageWriter::create(scratch_.file("growing"), facts_of(tree_), options);
  ASSERT_TRUE(writer);
  WholeImages images(jobs({*std::move(writer), scratch_.file("growing"), false}));
  images.append(batches_[0].view());
  images.commit_if_due();
  const auto results = ResultsFilesystem::open(scratch_.file("growing.partial"));
  ASSERT_TRUE(results) << results.error().message();
  EXPECT_EQ(results->totals().batches, 1u);
}

/// As if the device did not come back: nothing of that name may appear afterwards.
TEST_F(WholeImagesTest, given_up_they_never_get_their_name) {
  WholeImages images(jobs(job("slow")));
  append_all(images);
  const auto given_up = images.give_up();
  ASSERT_EQ(given_up.size(), 1u);
  EXPECT_THAT(given_up[0].problem, HasSubstr("told to end"));
  EXPECT_THAT(images.finish(true)[0].problem, HasSubstr("cannot rename"));
  EXPECT_FALSE(is_there("slow") || is_there("slow.partial"));
}

TEST_F(WholeImagesTest, given_up_after_they_got_their_name_they_are_there) {
  WholeImages images(jobs(job("fast")));
  append_all(images);
  images.finish(true);
  const auto given_up = images.give_up();
  EXPECT_THAT(given_up[0].problem, IsEmpty());
  EXPECT_TRUE(given_up[0].complete && is_there("fast"));
}

}  // namespace
}  // namespace pwalk::publish
