#include "doctor/kernel_findings.h"

#include <gtest/gtest.h>

namespace pwalk::tools {
namespace {

TEST(BpfCapabilitiesTest, from_the_effective_mask) {
  EXPECT_EQ(bpf_capabilities("000000c000000000"), "CAP_PERFMON CAP_BPF");
  EXPECT_EQ(bpf_capabilities("000001ffffffffff"), "CAP_SYS_ADMIN CAP_PERFMON CAP_BPF");
  EXPECT_EQ(bpf_capabilities("0000000000000000"), "none of CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN");
  EXPECT_EQ(bpf_capabilities(""), "none of CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN");
}

TEST(CountInListTest, ranges_and_single_numbers) {
  EXPECT_EQ(count_in_list("0"), 1u);
  EXPECT_EQ(count_in_list("0-3"), 4u);
  EXPECT_EQ(count_in_list("0-1,8,10-11"), 5u);
  for (const char* nonsense : {"", "x", "3-1", "1;2", "1-"}) EXPECT_EQ(count_in_list(nonsense), 0u) << nonsense;
}

TEST(KernelFindingsTest, every_subject_has_a_value) {
  for (const Finding& finding : kernel_findings(SystemFiles())) EXPECT_FALSE(finding.value.empty()) << finding.subject;
}

}  // namespace
}  // namespace pwalk::tools
