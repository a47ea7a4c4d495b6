#include "bpf_filter.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "bpf_object.h"
#include "filter.skel.h"
#include "name_key.h"
#include "pwalk/base/unique_fd.h"

namespace pwalk {
namespace {

const std::string kSubject = "eBPF filter";
static_assert(BpfFilter::kLongestName == PWALK_NAME_KEY_BYTES - 2);
static_assert(BpfFilter::kMostNames == PWALK_MOST_REFUSED_NAMES - 1);  // one is left for the proof

using Skeleton = pwalk_filter;

pwalk_name_key key_of(const std::string& name) {
  pwalk_name_key key{};
  std::memcpy(key.bytes, name.data(), name.size());
  return key;
}

/// A directory of our own with a name nobody else has, gone when this is.
class ProofDirectory {
 public:
  ProofDirectory() : made_(mkdtemp(path_.data()) != nullptr) {}
  ~ProofDirectory() {
    if (made_) rmdir(path_.data());
  }
  ProofDirectory(const ProofDirectory&) = delete;
  ProofDirectory& operator=(const ProofDirectory&) = delete;

  bool made() const { return made_; }
  std::string name() const { return std::strrchr(path_.data(), '/') + 1; }
  bool can_be_opened() const {
    return bool(UniqueFd(open(path_.data(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  }

 private:
  std::array<char, 32> path_{"/tmp/pwalk-filter-proof-XXXXXX"};
  bool made_;
};

}  // namespace

struct BpfFilter::Impl {
  bpf::SkeletonPtr<Skeleton> skeleton;

  int names() const { return bpf_map__fd(skeleton->maps.refused_names); }

  Result<void> list(const std::string& name) const {
    const pwalk_name_key key = key_of(name);
    const std::uint8_t listed = 1;
    const int error = bpf_map_update_elem(names(), &key, &listed, BPF_ANY);
    return error == 0 ? Result<void>() : bpf::refusal(kSubject, "cannot list '" + name + "'", error);
  }

  /// A kernel in which `bpf` is not among the active LSMs loads and attaches the
  /// program all the same, and never asks it.
  Result<void> prove() const {
    const ProofDirectory directory;
    if (!directory.made())
      return fail_errno(kSubject + ": no directory can be made in /tmp to prove that it works");
    const pwalk_name_key key = key_of(directory.name());
    if (auto listed = list(directory.name()); !listed) return listed;
    const bool refused = !directory.can_be_opened();
    bpf_map_delete_elem(names(), &key);
    if (refused) return {};
    return fail(ENOTSUP,
                kSubject + ": the kernel does not ask it (is bpf among the active LSMs, boot option lsm=?)");
  }
};

BpfFilter::BpfFilter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BpfFilter::~BpfFilter() = default;

Result<std::unique_ptr<BpfFilter>> BpfFilter::attach(std::span<const std::string> names) {
  if (auto good = check(names); !good) return tl::unexpected(good.error());
  auto skeleton = bpf::open_for_this_process<Skeleton>(kSubject);
  if (!skeleton) return tl::unexpected(skeleton.error());
  if (auto attached = bpf::load_and_attach(**skeleton, kSubject); !attached)
    return tl::unexpected(attached.error());
  auto impl = std::make_unique<Impl>(Impl{*std::move(skeleton)});
  for (const std::string& name : names)
    if (auto listed = impl->list(name); !listed) return tl::unexpected(listed.error());
  if (auto proved = impl->prove(); !proved) return tl::unexpected(proved.error());
  return std::unique_ptr<BpfFilter>(new BpfFilter(std::move(impl)));
}

std::uint64_t BpfFilter::refusals() const {
  const std::uint32_t first = 0;
  std::uint64_t count = 0;
  bpf_map_lookup_elem(bpf_map__fd(impl_->skeleton->maps.refusals), &first, &count);
  // The proof's own is not told.
  return count > 0 ? count - 1 : 0;
}

}  // namespace pwalk
