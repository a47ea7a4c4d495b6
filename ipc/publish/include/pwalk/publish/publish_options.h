#pragma once

#include <optional>
#include <string>
#include <tuple>

#include "pwalk/base/option_spec.h"
#include "pwalk/ipc/scan_session.h"

namespace pwalk::publish {

/// What becomes of a consumer that holds back a full pool.
enum class OnSlow : std::uint8_t { wait, evict, image };

}  // namespace pwalk::publish

namespace pwalk {

template <>
struct EnumWords<publish::OnSlow> {
  static constexpr std::array<std::pair<std::string_view, publish::OnSlow>, 3> words{
      {{"wait", publish::OnSlow::wait}, {"evict", publish::OnSlow::evict}, {"image", publish::OnSlow::image}}};
};
template <>
struct EnumWords<ipc::HugePages> {
  static constexpr std::array<std::pair<std::string_view, ipc::HugePages>, 3> words{
      {{"auto", ipc::HugePages::automatic}, {"require", ipc::HugePages::require}, {"off", ipc::HugePages::off}}};
};

}  // namespace pwalk

namespace pwalk::publish {

/// How a scan is offered to consumers: what the user asked. One OptionSpec each.
struct PublishOptions {
  std::optional<std::string> name;
  std::optional<ByteSize> ring_size;  ///< none: 256M, less under a small cgroup limit
  std::optional<std::uint32_t> buffer_size_mb;  ///< the same in MiB
  ipc::HugePages huge_pages = ipc::HugePages::automatic;
  bool use_mmap = true;
  std::uint32_t consumers = 0;
  std::optional<Seconds> attach_timeout;
  std::optional<Seconds> linger;
  std::optional<OnSlow> on_slow;  ///< none: image if one is built, else wait
  Seconds evict_after{10};
  Seconds group_lease{60};
  std::uint32_t group_attempts = 5;
  std::optional<std::string> share_group;
  bool keep = false;
  std::optional<ByteSize> keep_limit;
  std::optional<std::string> save;
  std::optional<std::string> since;
  bool trust_mtime = false;
  bool resolve_links = true;  ///< of an image
  bool builds_image() const { return keep || save; }
  /// An image of everything is no continuation of a stream of changes.
  bool image_is_stream() const { return builds_image() && !since; }
  OnSlow resolved_on_slow() const { return on_slow.value_or(image_is_stream() ? OnSlow::image : OnSlow::wait); }
  friend bool operator==(const PublishOptions&, const PublishOptions&) = default;
};
inline constexpr std::tuple kPublishSpecs{
    OptionSpec{"name", &PublishOptions::name, "NAME", "the scan's name (default: from the first root, made unique)"},
    OptionSpec{"ring-size", &PublishOptions::ring_size, "SIZE", "memory of the whole pool (default 256M)", 2 << 20},
    OptionSpec{"huge-pages", &PublishOptions::huge_pages, "MODE", "2 MiB pages: auto, require or off"},
    OptionSpec{"consumers", &PublishOptions::consumers, "N", "start walking when N consumers are attached", 0, 4096},
    OptionSpec{"attach-timeout", &PublishOptions::attach_timeout, "SECONDS",
               "bound on each wait for a consumer; then exit 3 (default: none)"},
    OptionSpec{"linger", &PublishOptions::linger, "SECONDS", "how long another consumer is waited for (default: after the walk, for the first, for ever; 10 in the middle)"},
    OptionSpec{"on-slow", &PublishOptions::on_slow, "WHAT", "slow consumers that keep the pool full: wait, evict, or image: let them read on there (default with --keep or --save, else wait)"},
    OptionSpec{"share-group", &PublishOptions::share_group, "GROUP", "members of GROUP may attach, as USER/NAME"},
    OptionSpec{"keep", &PublishOptions::keep, "", "build an image that stays until pwalk rm"},
    OptionSpec{"keep-limit", &PublishOptions::keep_limit, "SIZE", "end the kept image, not the scan, above SIZE", 1 << 20},
    OptionSpec{"save", &PublishOptions::save, "FILE", "build an image in FILE; FILE.partial until complete"},
    OptionSpec{"since", &PublishOptions::since, "IMAGE",
               "publish only what changed since IMAGE; those of --save and --keep get everything"},
};
/// Rarer ones, which `-h` only names.
inline constexpr std::tuple kRarePublishSpecs{
    OptionSpec{"buffer-size-mb", &PublishOptions::buffer_size_mb, "MIB", "memory of the whole pool in MiB: another word for --ring-size", 2, 1 << 24},
    OptionSpec{"use-mmap", &PublishOptions::use_mmap, "",
               "let consumers read batches where they lie (default); without it they get copies"},
    OptionSpec{"evict-after", &PublishOptions::evict_after, "SECONDS", "time for one to get past what it holds back"},
    OptionSpec{"group-lease", &PublishOptions::group_lease, "SECONDS", "a group's member may keep a batch so long"},
    OptionSpec{"group-attempts", &PublishOptions::group_attempts, "N", "take a batch from N members, then give it up", 1, 63},
    OptionSpec{"trust-mtime", &PublishOptions::trust_mtime, "",
               "with --since, do not read directories whose times are as they were; what was written or chmod'ed in place is then missed"},
    OptionSpec{"resolve-links", &PublishOptions::resolve_links, "",
               "with --keep or --save, ask of each link whether it leads to a directory (default), which counts as an access to the link; os.walk tells them apart"},
};

/// Calls visit(options, spec) for every option, in the order of `--help`.
template <class Options, class Visit>
void for_each_publish_option(Options& options, Visit&& visit) {
  const auto each = [&](const auto& specs) { std::apply([&](const auto&... spec) { (visit(options, spec), ...); }, specs); };
  each(kPublishSpecs);
  each(kRarePublishSpecs);
}

}  // namespace pwalk::publish
