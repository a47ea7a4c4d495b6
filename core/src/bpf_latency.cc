#include "bpf_latency.h"

#include <bpf/bpf.h>
#include <sys/syscall.h>

#include <array>
#include <cstdint>
#include <numeric>
#include <vector>

#include "bpf_object.h"
#include "latency.skel.h"
#include "latency_buckets.h"
#include "latency_histogram.h"

namespace pwalk {
namespace {

const std::string kSubject = "eBPF latency";
static_assert(PWALK_BUCKETS == LatencyHistogram::kSlots);

using Skeleton = pwalk_latency;

/// In the order of pwalk_call, two each.
constexpr std::array<std::int64_t, 2 * PWALK_CALLS> kNumbers{SYS_openat,     SYS_openat2, SYS_getdents64,
                                                             SYS_getdents64, SYS_statx,   SYS_newfstatat};

}  // namespace

struct BpfLatency::Impl {
  bpf::SkeletonPtr<Skeleton> skeleton;

  /// The sum over all processors, one of which counts in each copy.
  std::uint64_t count_in(std::uint32_t slot) const {
    const int processors = libbpf_num_possible_cpus();
    std::vector<std::uint64_t> counts(processors > 0 ? std::size_t(processors) : 0);
    if (counts.empty() ||
        bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.histogram), &slot, counts.data()) != 0)
      return 0;
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  }

  LatencyQuantiles quantiles(pwalk_call call) const {
    LatencySum sum;
    for (std::uint32_t slot = 0; slot < PWALK_BUCKETS; ++slot)
      sum.add(slot, count_in(std::uint32_t(call) * PWALK_BUCKETS + slot));
    return sum.quantiles(sum.total());
  }
};

BpfLatency::BpfLatency(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BpfLatency::~BpfLatency() = default;

Result<std::unique_ptr<BpfLatency>> BpfLatency::attach() {
  auto skeleton = bpf::open_for_this_process<Skeleton>(kSubject);
  if (!skeleton) return tl::unexpected(skeleton.error());
  std::copy(kNumbers.begin(), kNumbers.end(), (*skeleton)->rodata->call_numbers);
  if (auto attached = bpf::load_and_attach(**skeleton, kSubject); !attached)
    return tl::unexpected(attached.error());
  return std::unique_ptr<BpfLatency>(new BpfLatency(std::make_unique<Impl>(Impl{*std::move(skeleton)})));
}

KernelLatency BpfLatency::quantiles() const {
  return {impl_->quantiles(PWALK_CALL_OPEN), impl_->quantiles(PWALK_CALL_GETDENTS),
          impl_->quantiles(PWALK_CALL_STAT)};
}

}  // namespace pwalk
