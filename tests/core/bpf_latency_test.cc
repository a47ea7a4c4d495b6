#include "bpf_latency.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pwalk/base/unique_fd.h"

namespace pwalk {
namespace {

void stat_often(int times) {
  struct statx answer {};
  for (int i = 0; i < times; ++i) statx(AT_FDCWD, "/", 0, STATX_BASIC_STATS, &answer);
}

void list_root() {
  const UniqueFd root(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  char buffer[4096];
  syscall(SYS_getdents64, root.get(), buffer, sizeof buffer);
}

TEST(BpfLatency, CountsEveryCallOfThisProcessAndNobodyElses) {
  const auto latency = BpfLatency::attach();
  if (!latency) {
    EXPECT_EQ(latency.error().message().find("eBPF latency: "), 0u);
    GTEST_SKIP() << latency.error().message();
  }
  const auto before = (*latency)->quantiles();
  const pid_t child = fork();
  if (child == 0) {
    stat_often(5000);
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  stat_often(1000);
  for (int i = 0; i < 100; ++i) list_root();
  const auto after = (*latency)->quantiles();
  EXPECT_EQ(after.stat.count - before.stat.count, 1000u);
  EXPECT_EQ(after.open.count - before.open.count, 100u);
  EXPECT_EQ(after.getdents.count - before.getdents.count, 100u);
  EXPECT_GT(after.stat.p50_ns, 0u);
  EXPECT_LE(after.stat.p50_ns, after.stat.p99_ns);
}

}  // namespace
}  // namespace pwalk
