#include "scan/since_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/image_tree.h"

namespace pwalk::tools {
namespace {

using image::testing::facts_of;
using image::testing::LaneBatch;
using image::testing::ModelTree;
using image::testing::random_tree;
using image::testing::Random;
using image::testing::ScratchDirectory;
using image::testing::test_seed;
using image::testing::write_file;
using schema::Column;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kSelection = "as always";

class SinceImageTest : public ::testing::Test {
 protected:
  std::string image(image::ImageState state = image::ImageState::complete, schema::ColumnSet columns = schema::ColumnSet::all(),
                    const std::string& root = "/srv/data") {
    const ModelTree tree = random_tree(random_, {.rows = 30, .hostile = false, .roots = {root}});
    image::ScanFacts facts = facts_of(tree);
    facts.selection = kSelection;
    facts.columns = columns;
    const std::string file = scratch_.file("image" + std::to_string(made_++));
    auto writer = image::ImageWriter::create(file, facts);
    EXPECT_TRUE(writer);
    for (const LaneBatch& batch : image::testing::publish(random_, tree)) EXPECT_TRUE(writer->append(batch.lane, batch.sequence, batch.view()));
    EXPECT_TRUE(writer->finish(state, 1));
    return file;
  }
  static ScanPlan plan(const std::vector<std::string>& roots = {"/srv/data"}, const ScanOptions& options = {}) {
    auto resolved = resolve_plan(options, roots);
    EXPECT_TRUE(resolved);
    return *std::move(resolved);
  }
  static publish::PublishOptions since(const std::string& image, bool trust_mtime = false) {
    publish::PublishOptions options;
    options.since = image;
    options.trust_mtime = trust_mtime;
    return options;
  }
  static std::string refusal(const publish::PublishOptions& options, const ScanPlan& plan, const std::string& selection = kSelection) {
    const auto opened = open_since(options, plan, selection);
    EXPECT_FALSE(opened);
    if (opened) return "";
    EXPECT_EQ(opened.error().code, EINVAL);
    return opened.error().what;
  }

  Random random_{test_seed()};
  ScratchDirectory scratch_;
  int made_ = 0;
};

TEST_F(SinceImageTest, opens_what_can_be_compared_and_has_nothing_to_say) {
  for (const bool trust : {false, true}) {
    const auto opened = open_since(since(image(), trust), plan(), kSelection);
    ASSERT_TRUE(opened) << opened.error().what;
    EXPECT_EQ(opened->since.trust_mtime, trust);
    EXPECT_EQ(opened->since.before.facts().selection, kSelection);
    EXPECT_THAT(opened->notices, IsEmpty());
  }
}

TEST_F(SinceImageTest, says_what_will_count_as_added) {
  const auto cut = open_since(since(image(image::ImageState::cut_short)), plan(), kSelection);
  ASSERT_TRUE(cut);
  EXPECT_THAT(cut->notices, ElementsAre(HasSubstr("was not complete")));
  const auto elsewhere = open_since(since(image()), plan({"/elsewhere", "/srv/data"}), kSelection);
  ASSERT_TRUE(elsewhere);
  EXPECT_THAT(elsewhere->notices, ElementsAre(HasSubstr("has nothing of '/elsewhere'")));
}

TEST_F(SinceImageTest, roots_above_and_below_those_of_the_image_are_known) {
  for (const char* root : {"/srv", "/srv/data"}) {
    const auto opened = open_since(since(image()), plan({root}), kSelection);
    ASSERT_TRUE(opened);
    EXPECT_THAT(opened->notices, IsEmpty()) << root;
  }
}

/// A root is called what it was given as, since a name before ".." may be a link; as text it may still be known.
TEST_F(SinceImageTest, roots_with_dots_are_known_by_name_and_as_text) {
  for (const char* root : {"/srv/x/../data", "/srv/data"}) {
    const auto opened = open_since(since(image(image::ImageState::complete, schema::ColumnSet::all(), root)), plan({"/srv/x/../data"}), kSelection);
    ASSERT_TRUE(opened);
    EXPECT_THAT(opened->notices, IsEmpty()) << root;
    EXPECT_TRUE(opened->since.before.stat("/srv/x/../data")) << root;
  }
}

TEST_F(SinceImageTest, refuses_in_a_line_that_says_what_to_do) {
  const std::string file = image();
  EXPECT_THAT(refusal(since(""), plan()), HasSubstr("names no image"));
  EXPECT_THAT(refusal(since(file), plan(), "another"), HasSubstr("give the same ones"));
  EXPECT_THAT(refusal(since(file), plan({"/srv/data", "/srv/data/below"})), HasSubstr("'/srv/data/below' lies in '/srv/data'"));
  EXPECT_THAT(refusal(since(file), plan({"/srv/data", "/srv/data"})), HasSubstr("do not overlap"));
}

TEST_F(SinceImageTest, trust_needs_the_columns_that_directories_are_known_by) {
  ScanOptions few;
  few.attributes.columns = "type,size,mtime";
  EXPECT_THAT(refusal(since(image(), true), plan({"/srv/data"}, few)), HasSubstr("--columns leaves out"));
  const auto lacking = schema::ColumnSet::all() - schema::ColumnSet{Column::uid};
  EXPECT_THAT(refusal(since(image(image::ImageState::complete, lacking), true), plan()), HasSubstr("has no uid"));
}

TEST_F(SinceImageTest, an_image_that_is_not_there_is_no_wrong_usage_of_this_kind) {
  const auto missing = open_since(since(scratch_.file("nothing")), plan(), kSelection);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  write_file(scratch_.file("text"), std::vector<std::byte>(100));
  const auto text = open_since(since(scratch_.file("text")), plan(), kSelection);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, EPROTO);
}

TEST(ContradictionOfSinceTest, names_both_options) {
  ScannerOptions options;
  EXPECT_FALSE(contradiction_of_since(options));
  options.publish.trust_mtime = true;
  EXPECT_THAT(contradiction_of_since(options).value_or(""), HasSubstr("--since IMAGE, which is not given"));
  options.publish.since = "image";
  EXPECT_FALSE(contradiction_of_since(options));
  options.scan.attributes.coherence = Coherence::lazy;
  EXPECT_THAT(contradiction_of_since(options).value_or(""), HasSubstr("--coherence lazy"));
  options.scan.attributes.coherence = Coherence::force;
  EXPECT_FALSE(contradiction_of_since(options));
  options.scan.traversal.follow_links = true;
  EXPECT_THAT(contradiction_of_since(options).value_or(""), HasSubstr("--follow-links"));
  options.publish.trust_mtime = false;
  EXPECT_FALSE(contradiction_of_since(options));
  options.publish.on_slow = publish::OnSlow::image;
  EXPECT_THAT(contradiction_of_since(options).value_or(""), HasSubstr("--on-slow image"));
}

}  // namespace
}  // namespace pwalk::tools
