#include "statx_backend.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "pwalk/base/unique_fd.h"
#include "statx_sync.h"
#include "statx_uring.h"

namespace pwalk {
namespace {

constexpr unsigned kMask = STATX_BASIC_STATS;

struct Made {
  std::unique_ptr<StatxBackend> backend;
  std::string missing;  ///< why there is none here
};

struct Kind {
  const char* name;
  std::function<Made()> make;
};

#if PWALK_HAVE_URING
Made make_uring(unsigned depth) {
  auto made = StatxUring::create({depth, 4}, nullptr);
  if (!made) return {nullptr, made.error().message()};
  return {*std::move(made), {}};
}
#endif

/// Every backend answers the same questions in the same way.
class StatxBackendTest : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    Made made = GetParam().make();
    if (!made.backend) GTEST_SKIP() << made.missing;
    backend_ = std::move(made.backend);
    std::string pattern = testing::TempDir() + "pwalk-statx-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    directory_ = UniqueFd(open(pattern.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int i = 0; i < 100; ++i) {
      owned_.push_back("file" + std::to_string(i));
      const UniqueFd file(openat(directory_.get(), owned_.back().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
      ASSERT_EQ(ftruncate(file.get(), i), 0);
    }
    for (const std::string& name : owned_) names_.push_back(name.c_str());
  }
  void TearDown() override {
    if (!root_.empty()) std::filesystem::remove_all(root_);
  }

  std::unique_ptr<StatxBackend> backend_;
  std::filesystem::path root_;
  UniqueFd directory_;
  std::vector<std::string> owned_;
  std::vector<const char*> names_;
};

TEST_P(StatxBackendTest, AnswersComeInTheOrderOfTheNames) {
  for (int round = 0; round < 3; ++round) {
    backend_->begin(directory_.get(), names_, AT_SYMLINK_NOFOLLOW, kMask);
    for (std::size_t i = 0; i < names_.size(); ++i) {
      struct ::statx answer {};
      ASSERT_EQ(backend_->take(answer), 0) << names_[i];
      EXPECT_EQ(answer.stx_size, i);
      EXPECT_EQ(answer.stx_mask & kMask, kMask);
    }
    backend_->end();
  }
}

TEST_P(StatxBackendTest, AFailureIsTheAnswerOfItsNameOnly) {
  names_[7] = "nobody";
  names_[50] = "file1/below";
  backend_->begin(directory_.get(), names_, AT_SYMLINK_NOFOLLOW, kMask);
  for (std::size_t i = 0; i < names_.size(); ++i) {
    struct ::statx answer {};
    EXPECT_EQ(backend_->take(answer), i == 7 ? -ENOENT : i == 50 ? -ENOTDIR : 0) << i;
  }
  backend_->end();
}

TEST_P(StatxBackendTest, FlagsAreThoseOfStatx) {
  std::filesystem::create_symlink("file9", root_ / "link");
  const std::vector<const char*> one{"link"};
  for (const int flags : {0, AT_SYMLINK_NOFOLLOW}) {
    struct ::statx answer {};
    backend_->begin(directory_.get(), one, flags, kMask);
    ASSERT_EQ(backend_->take(answer), 0);
    EXPECT_EQ(S_ISLNK(answer.stx_mode), flags != 0);
    backend_->end();
  }
}

TEST_P(StatxBackendTest, WhatIsNotTakenIsForgotten) {
  const std::vector<const char*> one{"file42"};
  for (int round = 0; round < 50; ++round) {
    struct ::statx answer {};
    backend_->begin(directory_.get(), names_, AT_SYMLINK_NOFOLLOW, kMask);
    for (int i = 0; i < round; ++i) ASSERT_EQ(backend_->take(answer), 0);
    backend_->end();
    backend_->begin(directory_.get(), one, AT_SYMLINK_NOFOLLOW, kMask);
    ASSERT_EQ(backend_->take(answer), 0);
    EXPECT_EQ(answer.stx_size, 42u);
    backend_->end();
  }
}

TEST_P(StatxBackendTest, NoNamesAreNoQuestions) {
  backend_->begin(directory_.get(), {}, AT_SYMLINK_NOFOLLOW, kMask);
  backend_->end();
}

std::string name_of(const testing::TestParamInfo<Kind>& instance) { return instance.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Sync, StatxBackendTest,
    testing::Values(Kind{"sync", [] { return Made{std::make_unique<StatxSync>(sys::real_calls()), {}}; }}), name_of);

#if PWALK_HAVE_URING
INSTANTIATE_TEST_SUITE_P(Uring, StatxBackendTest,
                         testing::Values(Kind{"deep", [] { return make_uring(64); }},
                                         Kind{"shallow", [] { return make_uring(8); }}),
                         name_of);

TEST(StatxUring, AfterAStopNothingMoreIsAsked) {
  std::atomic<bool> stop{false};
  auto uring = StatxUring::create({8, 2}, &stop);
  if (!uring) GTEST_SKIP() << uring.error().message();
  std::vector<const char*> names(100, "/");
  (*uring)->begin(AT_FDCWD, names, 0, kMask);
  struct ::statx answer {};
  EXPECT_EQ((*uring)->take(answer), 0);
  stop = true;
  int last = 0;
  for (int i = 0; i < 99 && last == 0; ++i) last = (*uring)->take(answer);
  EXPECT_TRUE(last == 0 || last == -ECANCELED) << last;
  (*uring)->end();
}

/// A thread that was given up leaves its ring as it was, to whoever ends the walk.
TEST(StatxUring, GoesInAnotherThreadThanItWasMadeIn) {
  for (int round = 0; round < 20; ++round) {
    std::unique_ptr<StatxUring> left;
    const std::vector<const char*> names(64, "/");
    std::thread([&] {
      auto uring = StatxUring::create({64, 4}, nullptr);
      if (!uring) return;
      (*uring)->begin(AT_FDCWD, names, 0, kMask);
      left = *std::move(uring);
    }).join();
    if (!left) GTEST_SKIP() << "no ring";
    left.reset();
  }
}

/// In a child whose sandbox answers EPERM to io_uring_setup, as containers do.
int errno_under_a_sandbox() {
  sock_filter program[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter{4, program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) return -1;
  const auto uring = StatxUring::create({}, nullptr);
  return uring ? 0 : uring.error().code;
}

TEST(StatxUring, ASandboxThatForbidsItIsOneError) {
  const pid_t child = fork();
  if (child == 0) _exit(errno_under_a_sandbox() & 0xFF);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  const int error = WEXITSTATUS(status);
  if (error == 0xFF) GTEST_SKIP() << "seccomp filters cannot be installed here";
  EXPECT_EQ(error, EPERM);
}
#else
TEST(StatxUring, IsRefusedWhenItWasNotBuilt) {
  const auto uring = StatxUring::create({}, nullptr);
  ASSERT_FALSE(uring.has_value());
  EXPECT_EQ(uring.error().code, ENOTSUP);
}
#endif

}  // namespace
}  // namespace pwalk
