#include "pwalk/kernel_programs.h"

#include "bpf_filter.h"
#include "bpf_latency.h"

namespace pwalk {

Result<void> BpfFilter::check(std::span<const std::string> names) {
  if (names.size() > kMostNames)
    return fail(EINVAL, "at most " + std::to_string(kMostNames) + " names are allowed");
  for (const std::string& name : names) {
    const bool possible = !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
    if (!possible || name.size() > kLongestName)
      return fail(EINVAL, "'" + name + "': allowed are names of directories of 1 to " +
                              std::to_string(kLongestName) + " bytes");
  }
  return {};
}

struct KernelPrograms::Attached {
  std::unique_ptr<BpfFilter> filter;
  std::unique_ptr<BpfLatency> latency;
};

KernelPrograms::KernelPrograms() : attached_(std::make_unique<Attached>()) {}
KernelPrograms::KernelPrograms(KernelPrograms&&) noexcept = default;
KernelPrograms& KernelPrograms::operator=(KernelPrograms&&) noexcept = default;
KernelPrograms::~KernelPrograms() = default;

Result<KernelPrograms> KernelPrograms::attach(const ScanPlan& plan) {
  KernelPrograms programs;
  if (!plan.filter_names.empty())
    if (auto done = programs.attach_filter(plan); !done) return tl::unexpected(done.error());
  if (plan.options.programs.kernel_latency) programs.attach_latency();
  return programs;
}

Result<void> KernelPrograms::attach_filter(const ScanPlan& plan) {
  auto filter = BpfFilter::attach(plan.filter_names);
  if (filter) {
    attached_->filter = *std::move(filter);
    decisions_.push_back(
        {"kernel filter", "attached", "an open of a listed directory is refused, as was tried"});
    return {};
  }
  if (plan.options.programs.require_filter) return tl::unexpected(filter.error());
  refusals_.push_back(filter.error().message());
  decisions_.push_back({"kernel filter", "none", filter.error().message()});
  return {};
}

void KernelPrograms::attach_latency() {
  auto latency = BpfLatency::attach();
  if (latency) {
    attached_->latency = *std::move(latency);
    decisions_.push_back(
        {"kernel latency", "attached", "every system call on this machine is slower meanwhile"});
    return;
  }
  refusals_.push_back(latency.error().message());
  decisions_.push_back({"kernel latency", "none", latency.error().message()});
}

std::optional<std::uint64_t> KernelPrograms::refused_opens() const {
  if (!attached_->filter) return std::nullopt;
  return attached_->filter->refusals();
}

std::optional<KernelLatency> KernelPrograms::latency() const {
  if (!attached_->latency) return std::nullopt;
  return attached_->latency->quantiles();
}

}  // namespace pwalk
