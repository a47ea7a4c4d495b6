#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "pwalk/base/option_spec.h"

/// What the user asked of a walk: words only, no I/O. ScanPlan is what was decided.
/// Every field has one OptionSpec; each function takes the group it needs.
namespace pwalk {

enum class Coherence { by_profile, lazy, normal, force };
template <>
struct EnumWords<Coherence> {
  static constexpr std::array<std::pair<std::string_view, Coherence>, 3> words{
      {{"lazy", Coherence::lazy}, {"normal", Coherence::normal}, {"force", Coherence::force}}};
};

enum class Profile { automatic, local, nfs, lustre, weka, beegfs, gpfs, cephfs, smb, fuse };
template <>
struct EnumWords<Profile> {
  static constexpr std::array<std::pair<std::string_view, Profile>, 10> words{
      {{"auto", Profile::automatic}, {"local", Profile::local}, {"nfs", Profile::nfs},
       {"lustre", Profile::lustre}, {"weka", Profile::weka}, {"beegfs", Profile::beegfs},
       {"gpfs", Profile::gpfs}, {"cephfs", Profile::cephfs}, {"smb", Profile::smb},
       {"fuse", Profile::fuse}}};
};

/// How attributes are asked: by the threads themselves or through io_uring.
enum class UringUse { automatic, on, off };
template <>
struct EnumWords<UringUse> {
  static constexpr std::array<std::pair<std::string_view, UringUse>, 3> words{
      {{"auto", UringUse::automatic}, {"on", UringUse::on}, {"off", UringUse::off}}};
};

/// Which names are walked.
struct TraversalOptions {
  std::optional<std::uint32_t> max_depth;  ///< levels below a root
  bool one_file_system = false;
  bool follow_links = false;
  bool ignore_snapshots = true;
  std::vector<std::string> exclude;
  std::vector<std::string> exclude_from;
  std::vector<std::string> include;
  friend bool operator==(const TraversalOptions&, const TraversalOptions&) = default;
};
inline constexpr std::tuple kTraversalSpecs{
    OptionSpec{"max-depth", &TraversalOptions::max_depth, "N", "go N levels below a root; 0 is the roots alone"},
    OptionSpec{"one-file-system", &TraversalOptions::one_file_system, "", "do not enter other file systems"},
    OptionSpec{"follow-links", &TraversalOptions::follow_links, "", "follow symbolic links; a loop is a flagged row"},
    OptionSpec{"ignore-snapshots", &TraversalOptions::ignore_snapshots, "",
               "skip the directories .snapshot .snapshots .zfs (default)"},
    OptionSpec{"exclude", &TraversalOptions::exclude, "GLOB", "leave out what matches and do not enter it"},
    OptionSpec{"exclude-from", &TraversalOptions::exclude_from, "FILE", "read exclude globs from FILE, one per line"},
    OptionSpec{"include", &TraversalOptions::include, "GLOB", "of what is no directory, emit only what matches"},
};

/// What is fetched for each name.
struct AttributeOptions {
  std::optional<std::string> columns;  ///< comma-separated column names; none: all
  bool no_stat = false;                ///< names and types only
  Coherence coherence = Coherence::by_profile;
  bool resolve_links = false;  ///< ask of each whether it leads to a directory; whoever makes an image wants to know
  friend bool operator==(const AttributeOptions&, const AttributeOptions&) = default;
};
inline constexpr std::tuple kAttributeSpecs{
    OptionSpec{"columns", &AttributeOptions::columns, "LIST", "fetch only these columns (comma-separated)"},
    OptionSpec{"no-stat", &AttributeOptions::no_stat, "", "names and types only"},
    OptionSpec{"coherence", &AttributeOptions::coherence, "MODE",
               "how fresh attributes must be: lazy, normal or force (default by profile)"},
};

/// Who does the work.
struct ThreadOptions {
  std::uint32_t min_threads = 1;
  std::optional<std::uint32_t> max_threads;  ///< none: by profile
  bool work_stealing = true;
  bool metadata_queues = true;
  bool auto_tune = true;
  bool cpu_affinity = false;
  std::uint32_t cpus_per_thread = 1;
  bool numa_aware = true;
  bool prefer_local_numa = true;
  friend bool operator==(const ThreadOptions&, const ThreadOptions&) = default;
};
inline constexpr std::tuple kThreadSpecs{
    OptionSpec{"min-threads", &ThreadOptions::min_threads, "N", "walk with at least N threads", 1, 1024},
    OptionSpec{"max-threads", &ThreadOptions::max_threads, "N", "walk with at most N threads (default by profile)", 1, 1024},
    OptionSpec{"work-stealing", &ThreadOptions::work_stealing, "", "let idle threads take directories from busy ones (default)"},
    OptionSpec{"metadata-queues", &ThreadOptions::metadata_queues, "",
               "on Lustre and BeeGFS, queue directories by metadata server, so that threads spread over all of them (default)"},
    OptionSpec{"auto-tune", &ThreadOptions::auto_tune, "",
               "adapt the number of threads to what is measured (default); without it, max-threads or else min-threads"},
    OptionSpec{"cpu-affinity", &ThreadOptions::cpu_affinity, "", "keep each thread on CPUs of its own, cores before their second threads"},
    OptionSpec{"cpus-per-thread", &ThreadOptions::cpus_per_thread, "N", "with cpu-affinity, let each thread have N CPUs", 1, 1024},
    OptionSpec{"numa-aware", &ThreadOptions::numa_aware, "", "on several NUMA nodes, deal the threads out to them (default)"},
    OptionSpec{"prefer-local-numa", &ThreadOptions::prefer_local_numa, "",
               "have each thread's memory on its own NUMA node (default)"},
};

/// How the kernel is asked.
struct KernelOptions {
  bool use_getdents = true;
  bool use_statx = true;
  UringUse use_io_uring = UringUse::automatic;
  bool use_noatime = true;
  bool use_o_direct = false;
  std::optional<std::uint32_t> readahead_kb;  ///< getdents buffer; none: by profile
  Profile profile = Profile::automatic;
  bool detect_filesystem = true;
  friend bool operator==(const KernelOptions&, const KernelOptions&) = default;
};
inline constexpr std::tuple kKernelSpecs{
    OptionSpec{"use-getdents", &KernelOptions::use_getdents, "", "read directories with getdents64 (default); without it, readdir"},
    OptionSpec{"use-statx", &KernelOptions::use_statx, "", "ask attributes with statx (default); without it, fstatat"},
    OptionSpec{"use-io-uring", &KernelOptions::use_io_uring, "WHEN",
               "ask attributes through io_uring: auto (where trying shows that it is faster), on, off"},
    OptionSpec{"use-noatime", &KernelOptions::use_noatime, "", "do not change access times of directories, where that is allowed (default)"},
    OptionSpec{"use-o-direct", &KernelOptions::use_o_direct, "",
               "try direct I/O on directories, say what came of it, and force fresh attributes"},
    OptionSpec{"readahead-kb", &KernelOptions::readahead_kb, "KIB", "size of the directory buffer (default by profile)", 4, 16384},
    OptionSpec{"profile", &KernelOptions::profile, "NAME",
               "tuning profile: auto, local, nfs, lustre, weka, beegfs, gpfs, cephfs, smb, fuse"},
    OptionSpec{"detect-filesystem", &KernelOptions::detect_filesystem, "", "detect the profile per root (default); without it, local"},
};

/// How considerate a walk is of whoever serves it.
struct EtiquetteOptions {
  std::optional<std::uint32_t> max_ops_per_second;
  Seconds hang_timeout{120};  ///< 0: never
  friend bool operator==(const EtiquetteOptions&, const EtiquetteOptions&) = default;
};
inline constexpr std::tuple kEtiquetteSpecs{
    OptionSpec{"max-ops-per-second", &EtiquetteOptions::max_ops_per_second, "N",
               "make at most N metadata system calls in any second, all threads together", 1, 1'000'000'000},
    OptionSpec{"hang-timeout", &EtiquetteOptions::hang_timeout, "SECONDS",
               "give up a directory about which a call has not come back in so long, and go on without it; 0: never"},
};

/// What programs in the kernel (eBPF) do for a walk.
struct KernelProgramOptions {
  std::optional<std::string> filter_names;  ///< comma-separated
  bool require_filter = false;
  bool kernel_latency = false;
  friend bool operator==(const KernelProgramOptions&, const KernelProgramOptions&) = default;
};
inline constexpr std::tuple kKernelProgramSpecs{
    OptionSpec{"filter-names", &KernelProgramOptions::filter_names, "LIST",
               "do not enter directories of these names (comma-separated), and have eBPF refuse their opening"},
    OptionSpec{"require-filter", &KernelProgramOptions::require_filter, "",
               "do not start where the kernel does not do so"},
    OptionSpec{"kernel-latency", &KernelProgramOptions::kernel_latency, "",
               "measure system calls in the kernel too (eBPF; slows every call on the machine)"},
};

/// How rows are packed.
struct BatchOptions {
  std::uint32_t batch_size = 4096;    ///< rows
  std::uint32_t batch_age_ms = 50;    ///< a batch with rows is published after this time
  friend bool operator==(const BatchOptions&, const BatchOptions&) = default;
};
inline constexpr std::tuple kBatchSpecs{
    OptionSpec{"batch-size", &BatchOptions::batch_size, "ROWS", "most rows in one batch", 1, 32767},
    OptionSpec{"batch-age-ms", &BatchOptions::batch_age_ms, "MS", "publish a batch that is older than this", 1, 60000},
};

struct ScanOptions {
  TraversalOptions traversal;
  AttributeOptions attributes;
  ThreadOptions threads;
  KernelOptions kernel;
  EtiquetteOptions etiquette;
  KernelProgramOptions programs;
  BatchOptions batch;
  friend bool operator==(const ScanOptions&, const ScanOptions&) = default;
};

/// Calls visit(group, spec) for every option of a walk, in the order of `--help`.
template <class Options, class Visit>
void for_each_scan_option(Options& options, Visit&& visit) {
  const auto each = [&](auto& group, const auto& specs) {
    std::apply([&](const auto&... spec) { (visit(group, spec), ...); }, specs);
  };
  each(options.traversal, kTraversalSpecs);
  each(options.attributes, kAttributeSpecs);
  each(options.threads, kThreadSpecs);
  each(options.kernel, kKernelSpecs);
  each(options.etiquette, kEtiquetteSpecs);
  each(options.programs, kKernelProgramSpecs);
  each(options.batch, kBatchSpecs);
}

}  // namespace pwalk
