#include "bpf_filter.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "pwalk/base/unique_fd.h"

namespace pwalk {
namespace {

/// Why no filter can be had here, if it is not our own doing.
bool is_for_want_of_kernel(const Error& error) {
  return error.code == EPERM || error.code == EACCES || error.code == ENOTSUP || error.code == ESRCH ||
         error.code == ENOENT;
}

class BpfFilterTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "pwalk-bpf-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    for (const char* name : {"secret", "secret/below", "plain"})
      std::filesystem::create_directory(root_ / name);
    UniqueFd(open((root_ / "file").c_str(), O_CREAT | O_WRONLY, 0600));
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  /// 0, or the errno of opening `name` for reading.
  int open_error(const std::string& name, int flags = O_RDONLY | O_DIRECTORY) const {
    return UniqueFd(open((root_ / name).c_str(), flags | O_CLOEXEC)) ? 0 : errno;
  }

  int open_error_in_child(const std::string& name) const {
    const pid_t child = fork();
    if (child == 0) _exit(open_error(name));
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  }

  std::filesystem::path root_;
};

TEST_F(BpfFilterTest, RefusesListedDirectoriesToThisProcessOnly) {
  const std::vector<std::string> names{"secret", "file"};
  {
    const auto filter = BpfFilter::attach(names);
    if (!filter && is_for_want_of_kernel(filter.error())) GTEST_SKIP() << filter.error().message();
    ASSERT_TRUE(filter.has_value()) << filter.error().message();
    EXPECT_EQ((*filter)->refusals(), 0u);
    EXPECT_EQ(open_error("secret"), EACCES);
    EXPECT_EQ(open_error("plain"), 0);
    EXPECT_EQ(open_error("file", O_RDONLY), 0) << "only directories are refused";
    EXPECT_EQ(open_error("secret", O_PATH), 0) << "O_PATH is documented as not refused";
    EXPECT_EQ(open_error_in_child("secret"), 0);
    EXPECT_EQ((*filter)->refusals(), 1u);
  }
  EXPECT_EQ(open_error("secret"), 0) << "it ends with its object";
}

TEST_F(BpfFilterTest, NamesThatCannotBeAreRefusedBeforeTheKernelIsAsked) {
  for (const std::string& name :
       {std::string(), std::string("a/b"), std::string("."), std::string(63, 'x')}) {
    const std::vector<std::string> names{name};
    const auto filter = BpfFilter::attach(names);
    ASSERT_FALSE(filter.has_value()) << name;
    EXPECT_EQ(filter.error().code, EINVAL) << filter.error().message();
    EXPECT_NE(filter.error().what.find("allowed are"), std::string::npos);
  }
}

TEST_F(BpfFilterTest, ARefusalIsOneLine) {
  const std::vector<std::string> names{"secret"};
  const auto filter = BpfFilter::attach(names);
  if (filter) return;  // this kernel allows it: the first test saw it at work
  EXPECT_EQ(filter.error().message().find('\n'), std::string::npos);
  EXPECT_EQ(filter.error().message().find("eBPF filter: "), 0u);
}

}  // namespace
}  // namespace pwalk
