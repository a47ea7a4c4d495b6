// Writers that are killed, devices that are full, limits that are reached: the old
// image stays, what was committed is readable, and the next writer can start.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>

#include "ipc/image_tree.h"

namespace pwalk::image::testing {
namespace {

class ImageCrash : public ::testing::Test {
 protected:
  void SetUp() override {
    old_tree_ = random_tree(random_, {.rows = 50, .hostile = false});
    new_tree_ = random_tree(random_, {.rows = 400, .large_directory = 300, .hostile = false});
    batches_ = publish(random_, new_tree_, {40, 252 * 1024});
    write_image(file_, old_tree_, publish(random_, old_tree_));
  }

  /// The whole life of a writer, many small commits and a merge; for a child process.
  int write_all() {
    auto writer = ImageWriter::create(file_, facts_of(new_tree_));
    if (!writer) return 2;
    for (const LaneBatch& batch : batches_)
      if (!writer->append(batch.lane, batch.sequence, batch.view()) || !writer->commit()) return 3;
    return writer->finish(ImageState::complete, 42) ? 0 : 4;
  }

  void expect_old_or_new(const std::string& when) {
    SCOPED_TRACE(when);
    const auto results = ResultsFilesystem::open(file_);
    ASSERT_TRUE(results) << results.error().message();
    ASSERT_EQ(results->state(), ImageState::complete);
    const ModelTree& shown = results->totals().rows == old_tree_.rows ? old_tree_ : new_tree_;
    expect_same(*results, shown);
  }

  void expect_leftover_is_a_prefix() {
    const auto partial = ResultsFilesystem::open(file_ + ".partial");
    if (!partial) return;
    EXPECT_TRUE(partial->state() != ImageState::growing || partial->abandoned());
    for (std::uint64_t i = 0; i < partial->totals().batches; ++i) {
      const auto batch = partial->batch(i);
      ASSERT_TRUE(batch) << batch.error().message();
      const schema::testing::AlignedBytes& wanted = *batches_[i].bytes;
      ASSERT_TRUE(std::ranges::equal(batch->view->bytes(), wanted.span()));
    }
  }

  Random random_{test_seed()};
  ScratchDirectory scratch_;
  std::string file_ = scratch_.file("crash.img");
  ModelTree old_tree_, new_tree_;
  std::vector<LaneBatch> batches_;
};

/// Runs `child` and kills it when it is about to make, or has just made, its
/// `stops`-th system call stop. True if it lived to its own end.
template <class Child>
bool run_until_stop(Child&& child, std::uint64_t stops) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    ::_exit(child());
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  for (; stops != 0; --stops) {
    ::ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr);
    ::waitpid(pid, &status, 0);
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
      return true;
    }
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, &status, 0);
  return false;
}

TEST_F(ImageCrash, KilledAtEverySystemCall) {
  const std::vector<std::byte> before = read_file(file_);
  std::uint64_t stops = 1;
  for (;; ++stops) {
    write_file(file_, before);
    const bool lived = run_until_stop([&] { return write_all(); }, stops);
    expect_old_or_new("killed at stop " + std::to_string(stops));
    expect_leftover_is_a_prefix();
    if (HasFailure() || lived) break;
  }
  EXPECT_GT(stops, 200u);
  EXPECT_EQ(ResultsFilesystem::open(file_)->totals().rows, new_tree_.rows);
}

TEST_F(ImageCrash, ALeftoverIsReplacedAndALiveWriterIsNot) {
  ASSERT_FALSE(run_until_stop([&] { return write_all(); }, 60));
  ASSERT_TRUE(std::filesystem::exists(file_ + ".partial"));
  {
    auto writer = ImageWriter::create(file_, facts_of(new_tree_));
    ASSERT_TRUE(writer) << writer.error().message();
    const auto second = ImageWriter::create(file_, facts_of(new_tree_));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, EBUSY) << second.error().message();
    EXPECT_TRUE(std::filesystem::exists(file_ + ".partial"));
  }
  EXPECT_FALSE(std::filesystem::exists(file_ + ".partial"));
  EXPECT_EQ(write_all(), 0);
  expect_old_or_new("after a leftover");
}

TEST_F(ImageCrash, PlantedLinksAreNotFollowed) {
  const std::string victim = scratch_.file("victim");
  std::ofstream(victim) << "precious";
  std::filesystem::create_symlink(victim, file_ + ".partial");
  const auto writer = ImageWriter::create(file_, facts_of(new_tree_));
  EXPECT_FALSE(writer);
  EXPECT_EQ(read_file(victim).size(), 8u);
}

TEST_F(ImageCrash, ALimitIsAClearErrorAndIsFinal) {
  auto writer = ImageWriter::create(file_, facts_of(new_tree_), {.max_bytes = 64 * 1024});
  ASSERT_TRUE(writer) << writer.error().message();
  Result<void> added;
  for (const LaneBatch& batch : batches_)
    if (added = writer->append(batch.lane, batch.sequence, batch.view()); !added) break;
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, EFBIG);
  EXPECT_NE(added.error().what.find("limit of 65536 bytes"), std::string::npos) << added.error().what;
  EXPECT_LE(std::filesystem::file_size(writer->partial_file()), 64u * 1024);
  EXPECT_EQ(writer->append(0, 1u << 20, batches_[0].view()).error().code, EFBIG);
  EXPECT_EQ(writer->commit().error().code, EFBIG);
  EXPECT_EQ(writer->finish(ImageState::complete, 0).error().code, EFBIG);
  writer = tl::unexpected(Error{});
  expect_old_or_new("after a limit");
}

TEST_F(ImageCrash, LanesDoNotGoBack) {
  auto writer = ImageWriter::create(file_, facts_of(new_tree_));
  ASSERT_TRUE(writer->append(3, 7, batches_[0].view()));
  EXPECT_EQ(writer->append(3, 7, batches_[1].view()).error().code, EINVAL);
}

/// In a mount namespace of its own: a tmpfs of 1 MiB that fills up.
int fill_small_device(const std::string& directory, const ModelTree& tree, const std::vector<LaneBatch>& batches) {
  if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return 77;
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
  if (::mount("pwalk", directory.c_str(), "tmpfs", 0, "size=1m") != 0) return 77;
  auto writer = ImageWriter::create(directory + "/full.img", facts_of(tree));
  if (!writer) return 10;
  Result<void> result;
  std::uint64_t committed = 0;
  for (std::uint64_t sequence = 0; result && sequence < 100'000; ++sequence) {
    result = writer->append(0, sequence, batches[sequence % batches.size()].view());
    if (result && sequence % 8 == 0) {
      result = writer->commit();
      if (result) committed = sequence + 1;
    }
  }
  if (result || result.error().code != ENOSPC) return 11;
  if (result.error().what.find("full.img.partial' at offset") == std::string::npos) return 12;
  const auto left = ResultsFilesystem::open(writer->partial_file());
  if (!left || left->totals().batches < committed) return 13;
  for (std::uint64_t i = 0; i < left->totals().batches; ++i)
    if (!left->batch(i)) return 14;
  writer = tl::unexpected(Error{});
  return std::filesystem::exists(directory + "/full.img.partial") ? 15 : 0;
}

TEST_F(ImageCrash, AFullDeviceIsAClearErrorAndWhatWasCommittedStays) {
  const std::string directory = scratch_.file("small");
  ASSERT_EQ(::mkdir(directory.c_str(), 0700), 0);
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(fill_small_device(directory, new_tree_, batches_));
  int status = 0;
  ::waitpid(pid, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no mount namespace may be made here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace pwalk::image::testing
