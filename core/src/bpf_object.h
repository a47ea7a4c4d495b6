#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <memory>
#include <string>

#include "pwalk/base/result.h"

/// What the two users of libbpf share. Only built where libbpf, clang and bpftool are.
namespace pwalk::bpf {

/// This process, as a program in the kernel can recognise it.
struct ProcessIdentity {
  std::uint64_t namespace_device = 0;  ///< in the kernel's encoding of dev_t
  std::uint64_t namespace_inode = 0;
  std::uint32_t process = 0;
};
Result<ProcessIdentity> this_process();

/// libbpf tells its story on stderr; ours is the one line of the Error.
void silence_libbpf();

/// "eBPF filter: the kernel refuses to load it: Operation not permitted", from a
/// negative errno as libbpf returns it, with what to look at for the usual ones.
tl::unexpected<Error> refusal(const std::string& subject, const std::string& step, int negative_errno);

/// Owns a skeleton made by bpftool.
template <class Skeleton>
struct DestroySkeleton {
  void operator()(Skeleton* skeleton) const { Skeleton::destroy(skeleton); }
};
template <class Skeleton>
using SkeletonPtr = std::unique_ptr<Skeleton, DestroySkeleton<Skeleton>>;

/// Opens a skeleton and writes down on whose behalf it shall act.
template <class Skeleton>
Result<SkeletonPtr<Skeleton>> open_for_this_process(const std::string& subject) {
  silence_libbpf();
  const auto identity = this_process();
  if (!identity) return tl::unexpected(identity.error());
  SkeletonPtr<Skeleton> skeleton(Skeleton::open());
  if (!skeleton) return refusal(subject, "cannot be opened", -errno);
  skeleton->rodata->scanner_namespace_device = identity->namespace_device;
  skeleton->rodata->scanner_namespace_inode = identity->namespace_inode;
  skeleton->rodata->scanner_process = identity->process;
  return skeleton;
}

template <class Skeleton>
Result<void> load_and_attach(Skeleton& skeleton, const std::string& subject) {
  if (const int error = Skeleton::load(&skeleton); error != 0)
    return refusal(subject, "the kernel refuses to load it", error);
  if (const int error = Skeleton::attach(&skeleton); error != 0)
    return refusal(subject, "the kernel refuses to attach it", error);
  return {};
}

}  // namespace pwalk::bpf
