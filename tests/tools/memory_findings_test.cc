#include "doctor/memory_findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "made_up_system.h"

namespace pwalk::tools {
namespace {

TEST(CgroupMemoryLimitTest, tightest_of_the_v2_ancestors) {
  const MadeUpSystem system;
  system.put("/proc/self/cgroup", "0::/a.slice/b.scope\n");
  system.put("/sys/fs/cgroup/a.slice/memory.max", "1048576\n");
  system.put("/sys/fs/cgroup/a.slice/b.scope/memory.max", "max\n");
  EXPECT_EQ(cgroup_memory_limit(system.files()), 1048576u);
}

TEST(CgroupMemoryLimitTest, v1_and_its_way_to_say_none) {
  const MadeUpSystem system;
  system.put("/proc/self/cgroup", "5:cpu:/x\n4:memory:/job\n");
  system.put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(cgroup_memory_limit(system.files()), std::nullopt);
  system.put("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2097152\n");
  EXPECT_EQ(cgroup_memory_limit(system.files()), 2097152u);
}

TEST(CgroupMemoryLimitTest, root_of_a_container) {
  const MadeUpSystem system;
  system.put("/proc/self/cgroup", "0::/\n");
  system.put("/sys/fs/cgroup/memory.max", "4096\n");
  EXPECT_EQ(cgroup_memory_limit(system.files()), 4096u);
}

TEST(LogindRemovesIpcTest, yes_unless_configured) {
  const MadeUpSystem system;
  EXPECT_TRUE(logind_removes_ipc(system.files()));
  system.put("/etc/systemd/logind.conf", "[Login]\n#RemoveIPC=no\n");
  EXPECT_TRUE(logind_removes_ipc(system.files()));
  system.put("/etc/systemd/logind.conf", "[Login]\nRemoveIPC=no\n");
  EXPECT_FALSE(logind_removes_ipc(system.files()));
}

TEST(LogindRemovesIpcTest, drop_ins_win_and_etc_hides_usr) {
  const MadeUpSystem system;
  system.put("/etc/systemd/logind.conf", "RemoveIPC=yes\n");
  system.put("/usr/lib/systemd/logind.conf.d/10-a.conf", "RemoveIPC=no\n");
  EXPECT_FALSE(logind_removes_ipc(system.files()));
  system.put("/etc/systemd/logind.conf.d/10-a.conf", "# nothing\n");
  EXPECT_TRUE(logind_removes_ipc(system.files()));
}

TEST(MemoryFindingsTest, every_subject_has_a_value) {
  for (const Finding& finding : memory_findings(SystemFiles())) EXPECT_FALSE(finding.value.empty()) << finding.subject;
}

TEST(MemoryFindingsTest, says_how_to_get_reserved_pages) {
  const MadeUpSystem system;
  const std::string pages = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
  system.put(pages + "nr_hugepages", "10\n");
  system.put(pages + "free_hugepages", "9\n");
  system.put(pages + "resv_hugepages", "2\n");
  const Findings findings = memory_findings(system.files());
  EXPECT_EQ(findings[0].value, "7 of 10 free");
  EXPECT_THAT(findings[0].remark, testing::HasSubstr("sysctl vm.nr_hugepages="));
}

}  // namespace
}  // namespace pwalk::tools
