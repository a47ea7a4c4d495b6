// Both users of eBPF where libbpf, clang or bpftool were missing at build time.
#include "bpf_filter.h"
#include "bpf_latency.h"

namespace pwalk {
namespace {

tl::unexpected<Error> absent(const char* subject) {
  return fail(ENOTSUP, std::string(subject) + ": this pwalk was built without libbpf, clang or bpftool");
}

}  // namespace

struct BpfFilter::Impl {};
BpfFilter::BpfFilter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BpfFilter::~BpfFilter() = default;
Result<std::unique_ptr<BpfFilter>> BpfFilter::attach(std::span<const std::string>) {
  return absent("eBPF filter");
}
std::uint64_t BpfFilter::refusals() const {
  return 0;
}

struct BpfLatency::Impl {};
BpfLatency::BpfLatency(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BpfLatency::~BpfLatency() = default;
Result<std::unique_ptr<BpfLatency>> BpfLatency::attach() {
  return absent("eBPF latency");
}
KernelLatency BpfLatency::quantiles() const {
  return {};
}

}  // namespace pwalk
