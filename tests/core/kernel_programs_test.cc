#include "pwalk/kernel_programs.h"

#include <gtest/gtest.h>

namespace pwalk {
namespace {

ScanOptions asking(const std::string& filter_names) {
  ScanOptions options;
  options.programs.filter_names = filter_names;
  return options;
}

ScanPlan plan_of(const ScanOptions& options) {
  auto plan = resolve_plan(options, {"/"});
  EXPECT_TRUE(plan.has_value()) << (plan ? "" : plan.error().what);
  return plan ? *std::move(plan) : ScanPlan();
}

TEST(KernelPrograms, NothingAskedIsNothingAttached) {
  const auto programs = KernelPrograms::attach(plan_of({}));
  ASSERT_TRUE(programs.has_value());
  EXPECT_TRUE(programs->decisions().empty());
  EXPECT_TRUE(programs->refusals().empty());
  EXPECT_FALSE(programs->latency().has_value());
  EXPECT_FALSE(programs->refused_opens().has_value());
}

TEST(KernelPrograms, EachIsAttachedOrRefusedInOneLine) {
  ScanOptions options = asking("no-such-directory");
  options.programs.kernel_latency = true;
  const auto programs = KernelPrograms::attach(plan_of(options));
  ASSERT_TRUE(programs.has_value()) << programs.error().message();
  ASSERT_EQ(programs->decisions().size(), 2u);
  const bool filter = programs->refused_opens().has_value(), latency = programs->latency().has_value();
  EXPECT_EQ(programs->decisions()[0].choice, filter ? "attached" : "none");
  EXPECT_EQ(programs->decisions()[1].choice, latency ? "attached" : "none");
  EXPECT_EQ(programs->refusals().size(), std::size_t(!filter) + std::size_t(!latency));
  for (const std::string& line : programs->refusals()) EXPECT_EQ(line.find('\n'), std::string::npos) << line;
}

TEST(KernelPrograms, ARequiredFilterFailsClosed) {
  ScanOptions options = asking("no-such-directory");
  const bool available = KernelPrograms::attach(plan_of(options))->refused_opens().has_value();
  options.programs.require_filter = true;
  EXPECT_EQ(KernelPrograms::attach(plan_of(options)).has_value(), available);
}

TEST(KernelPrograms, NamesThatCannotBeAreWrongUsage) {
  for (const std::string& list : {std::string(), std::string("a,,b"), std::string("a/b"), std::string(".."),
                                  std::string("fine,") + std::string(63, 'x')}) {
    const auto plan = resolve_plan(asking(list), {"/"});
    ASSERT_FALSE(plan.has_value()) << list;
    EXPECT_EQ(plan.error().code, EINVAL);
    EXPECT_NE(plan.error().what.find("--filter-names"), std::string::npos);
    EXPECT_NE(plan.error().what.find("allowed"), std::string::npos);
  }
  ScanOptions alone;
  alone.programs.require_filter = true;
  EXPECT_FALSE(resolve_plan(alone, {"/"}).has_value());
  EXPECT_EQ(plan_of(asking("a,b")).filter_names, (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace pwalk
