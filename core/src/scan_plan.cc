#include "pwalk/scan_plan.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "attribute_reader.h"
#include "bpf_filter.h"
#include "metadata_server.h"
#include "mount_profiles.h"
#include "mount_table.h"
#include "numa_memory.h"
#include "name_filter.h"
#include "root_path.h"
#include "sys/kernel_features.h"
#include "topology.h"
#include "tuning_profile.h"

namespace pwalk {

using schema::Column;
using schema::ColumnSet;

namespace {

constexpr const char* kRefusesStatx = "this kernel or sandbox refuses statx";
constexpr const char* kRefusesGetdents = "this kernel or sandbox refuses getdents64";

/// Printable ASCII stays, everything else becomes \xHH.
std::string shown(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += byte >= 0x20 && byte < 0x7f && c != '\\' ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return text;
}

std::string_view word_of(Coherence coherence) {
  for (const auto& [word, value] : EnumWords<Coherence>::words)
    if (value == coherence) return word;
  return "normal";
}

std::string_view word_of(Profile profile) {
  for (const auto& [word, value] : EnumWords<Profile>::words)
    if (value == profile) return word;
  return "local";
}

std::string column_words() {
  std::string words = "directory, name";
  for (const schema::ColumnSpec& spec : schema::kColumns) words.append(", ").append(spec.name);
  for (const schema::TextColumnSpec& spec : schema::kTextColumns) words.append(", ").append(spec.name);
  return words;
}

/// Columns every row has, whatever was asked.
ColumnSet always_there() {
  return {Column::type, Column::depth, Column::error, Column::operation, Column::flags};
}

Result<ColumnSet> columns_from(const AttributeOptions& asked) {
  if (!asked.columns) return asked.no_stat ? always_there() : ColumnSet::all() - ColumnSet::opt_in();
  ColumnSet columns = always_there();
  std::string_view list = *asked.columns;
  for (bool more = true; more;) {
    const std::string_view word = list.substr(0, list.find(','));
    more = word.size() < list.size();
    list.remove_prefix(std::min(list.size(), word.size() + 1));
    if (word == "directory" || word == "name" || word == "path") continue;  // always there too
    const auto column = schema::column_named(word);
    if (!column)
      return fail(EINVAL, fmt::format("--columns: there is no column '{}'; allowed are {}", shown(word), column_words()));
    columns.insert(*column);
  }
  if (asked.no_stat && statx_mask_for(columns) != 0)
    return fail(EINVAL, "--no-stat fetches names and types only; --columns asks for more");
  return columns;
}

/// Works out one ScanPlan, a group of decisions after the other.
class PlanResolver {
 public:
  PlanResolver(const ScanOptions& options, const sys::Calls& calls) : calls_(calls) { plan_.options = options; }

  Result<ScanPlan> run(const std::vector<std::string>& roots) {
    if (roots.empty()) return fail(EINVAL, "there is no root to walk");
    if (auto done = resolve_columns(); !done) return tl::unexpected(done.error());
    if (auto done = resolve_filter_names(); !done) return tl::unexpected(done.error());
    if (auto done = resolve_globs(); !done) return tl::unexpected(done.error());
    if (auto done = resolve_roots(roots); !done) return tl::unexpected(done.error());
    if (auto done = resolve_threads(); !done) return tl::unexpected(done.error());
    if (auto done = resolve_placement(); !done) return tl::unexpected(done.error());
    resolve_buffers();
    resolve_backend();
    return std::move(plan_);
  }

 private:
  void decide(std::string subject, std::string choice, std::string reason) {
    plan_.decisions.push_back({std::move(subject), std::move(choice), std::move(reason)});
  }

  Result<void> resolve_columns() {
    auto columns = columns_from(plan_.options.attributes);
    if (!columns) return tl::unexpected(columns.error());
    plan_.columns = *columns;
    plan_.statx_mask = statx_mask_for(*columns);
    features_ = sys::probe_kernel(calls_);
    plan_.use_statx = plan_.options.kernel.use_statx && features_.statx;
    plan_.use_getdents = plan_.options.kernel.use_getdents && features_.getdents;
    notice_refusals();
    return {};
  }

  /// What costs columns or time without having been asked for.
  void notice_refusals() {
    const KernelOptions& asked = plan_.options.kernel;
    if (asked.use_statx && !features_.statx && plan_.statx_mask != 0)
      plan_.notices.push_back(std::string(kRefusesStatx) + ": fstatat asks instead, btime and mount_id stay unknown");
    if (asked.use_getdents && !features_.getdents)
      plan_.notices.push_back(std::string(kRefusesGetdents) + ": readdir reads the directories instead");
  }

  Result<void> resolve_globs() {
    const TraversalOptions& asked = plan_.options.traversal;
    plan_.exclude_globs = asked.exclude;
    for (const std::string& path : asked.exclude_from) {
      auto text = calls_.read_file(path);
      if (!text) return fail(text.error().code, "--exclude-from: " + text.error().what);
      for (std::string& glob : glob_lines(*text)) {
        if (const auto good = Glob::compile(glob); !good)
          return fail(EINVAL, fmt::format("--exclude-from: bad glob '{}' in '{}': {}", glob, path, good.error().what));
        plan_.exclude_globs.push_back(std::move(glob));
      }
    }
    auto filter =
        NameFilter::make(plan_.exclude_globs, asked.include, asked.ignore_snapshots, plan_.filter_names);
    if (!filter) return tl::unexpected(filter.error());
    if (const std::string how = filter->explain(); !how.empty()) decide("globs", how, "asked before any stat");
    return {};
  }

  Result<void> resolve_filter_names() {
    const KernelProgramOptions& asked = plan_.options.programs;
    if (!asked.filter_names) {
      if (asked.require_filter) return fail(EINVAL, "--require-filter needs names, allowed with --filter-names LIST");
      return {};
    }
    std::string_view list = *asked.filter_names;
    for (bool more = true; more;) {
      const std::string_view name = list.substr(0, list.find(','));
      more = name.size() < list.size();
      list.remove_prefix(std::min(list.size(), name.size() + 1));
      plan_.filter_names.emplace_back(name);
    }
    if (auto good = BpfFilter::check(plan_.filter_names); !good)
      return fail(EINVAL, "--filter-names: " + good.error().what);
    decide("names not entered", shown(*asked.filter_names), "--filter-names");
    return {};
  }

  Result<void> resolve_roots(const std::vector<std::string>& roots) {
    auto working_directory = calls_.current_directory();
    const bool needs_it = std::any_of(roots.begin(), roots.end(), [](const auto& r) { return r.empty() || r[0] != '/'; });
    if (!working_directory && needs_it) return tl::unexpected(working_directory.error());
    if (auto table = MountTable::read(calls_)) mounts_ = *std::move(table);
    for (const std::string& given : roots) {
      plan_.roots.push_back(resolved(given, working_directory.value_or("/")));
      explain_root(plan_.roots.back());
      explain_mounts_below(plan_.roots.back());
    }
    return {};
  }

  PlannedRoot resolved(const std::string& given, const std::string& working_directory) {
    PlannedRoot root;
    root.given = given;
    root.path = root_path(working_directory, given);
    struct ::statx answer {};
    const AttributeReader attributes(calls_, plan_.use_statx);
    const auto ask = [&](bool follow) {
      return attributes.read(AT_FDCWD, given.c_str(), statx_flags(follow, Coherence::normal),
                             STATX_TYPE | STATX_INO | STATX_MNT_ID, answer);
    };
    int result = given.find('\0') != std::string::npos ? -EINVAL : ask(true);
    if (result == -ENOENT) result = ask(false);  // a link that leads nowhere is an entry of its own
    if (result < 0) {
      root.error = -result;
    } else if (const Identity identity = identity_of(answer); true) {
      root.mount_id = identity.mount, root.device = identity.device;
      if (const Mount* mount = mounts_.find(identity.mount, identity.device))
        root.mount = mount->point, root.filesystem = mount->filesystem;
    }
    const bool known = root.error != 0 || !root.filesystem.empty();
    root.profile = profile_for(root.filesystem, known ? 0 : calls_.filesystem_magic(given.c_str()));
    root.split_names = plan_.options.threads.work_stealing ? tuning_of(root.profile).split_names : 0;
    if (plan_.options.kernel.use_o_direct && result >= 0) root.direct = takes_direct(given);
    if (result >= 0 && has_metadata_servers(root.profile)) resolve_server(root);
    root.coherence = coherence_for(root.profile);
    return root;
  }

  /// Tried, because nothing tells: of the file systems in Linux none is known to.
  bool takes_direct(const std::string& given) {
    const int fd = calls_.open(given.c_str(), O_RDONLY | O_DIRECTORY | O_DIRECT | O_CLOEXEC);
    if (fd >= 0) calls_.close(fd);
    direct_error_ = fd < 0 ? -fd : 0;
    return fd >= 0;
  }

  /// Tried on the root itself: a client that does not tell there tells nowhere.
  void resolve_server(PlannedRoot& root) {
    const ThreadOptions& asked = plan_.options.threads;
    const auto by_thread = [&](std::string why) { decide("metadata servers", "directories wait by thread", std::move(why)); };
    if (!asked.metadata_queues) return by_thread("--no-metadata-queues");
    if (!asked.work_stealing) return by_thread("--no-work-stealing");
    const int fd = calls_.open(root.given.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const auto server = fd < 0 ? std::nullopt : metadata_server_of(calls_, fd, root.profile);
    if (fd >= 0) calls_.close(fd);
    if (!server) return by_thread(root.path + " does not tell which server has it");
    root.queue_by_server = true;
    decide("metadata servers", "directories wait by server, once there are two", fmt::format("server {} has {}", *server, root.path));
  }

  Profile profile_for(const std::string& filesystem, std::uint64_t magic = 0) const {
    const KernelOptions& asked = plan_.options.kernel;
    if (asked.profile != Profile::automatic) return asked.profile;
    return asked.detect_filesystem ? profile_of_mount(filesystem, magic) : Profile::local;
  }

  /// What is mounted below a root and will be walked in another way than it.
  void explain_mounts_below(const PlannedRoot& root) {
    if (root.error != 0 || plan_.options.traversal.one_file_system) return;
    const std::string above = root.path == "/" ? "/" : root.path + "/";
    for (const Mount& mount : mounts_.mounts()) {
      const Profile profile = profile_for(mount.filesystem);
      if (profile == root.profile || mount.point.compare(0, above.size(), above) != 0) continue;
      decide("mount " + mount.point, fmt::format("profile {}, coherence {}", word_of(profile), word_of(coherence_for(profile))),
             fmt::format("{}, below {}", mount.filesystem, root.path));
    }
  }

  Coherence coherence_for(Profile profile) const {
    const Coherence asked = plan_.options.attributes.coherence;
    if (asked != Coherence::by_profile) return asked;
    return plan_.options.kernel.use_o_direct ? Coherence::force : tuning_of(profile).coherence;
  }

  void explain_root(const PlannedRoot& root) {
    if (root.error != 0)
      return decide("root " + root.path, "not walked", std::generic_category().message(root.error));
    const KernelOptions& asked = plan_.options.kernel;
    const std::string where =
        root.mount.empty() ? "mount not known" : fmt::format("{} on {}", root.filesystem, root.mount);
    const char* how = asked.profile != Profile::automatic ? "asked for" : asked.detect_filesystem ? "" : "not detected";
    if (asked.use_o_direct)
      decide("direct I/O", root.direct ? "taken" : "refused: " + std::generic_category().message(direct_error_),
             "--use-o-direct; attributes are forced to be fresh instead");
    decide("root " + root.path, fmt::format("profile {}, coherence {}", word_of(root.profile), word_of(root.coherence)),
           where + (*how ? std::string("; ") + how : ""));
  }

  Result<void> resolve_threads() {
    const ThreadOptions& asked = plan_.options.threads;
    if (asked.max_threads && *asked.max_threads < asked.min_threads)
      return fail(EINVAL, fmt::format("--max-threads {} is below --min-threads {}; allowed is the same or more",
                                      *asked.max_threads, asked.min_threads));
    std::string reason = asked.auto_tune ? tune_threads() : fix_threads();
    const DescriptorShare share = share_of_descriptors();
    // Two directories at a time is what a worker cannot do without.
    limit_threads(std::max(1u, share.descriptors / (2 + share.beside_directories)), "what the limit of open files allows", reason);
    if (!asked.work_stealing) {
      limit_threads(unsigned(plan_.roots.size()), "one per root without work stealing", reason);
      plan_.least_threads = plan_.most_threads = plan_.threads;  // who parks could not leave its work to others
    }
    resolve_descriptors(share);
    decide("threads", threads_text(), reason);
    explain_sharing();
    return {};
  }

  void explain_sharing() {
    if (!plan_.options.threads.work_stealing) return decide("idle threads", "take nothing from others", "--no-work-stealing");
    std::set<unsigned> parts;
    for (const PlannedRoot& root : plan_.roots)
      if (root.error == 0 && root.split_names != 0) parts.insert(root.split_names);
    if (plan_.statx_mask == 0) return decide("idle threads", "take directories from others", "names alone are read by one thread");
    if (parts.empty()) return decide("idle threads", "take directories from others", "these profiles want one thread per directory");
    decide("idle threads", fmt::format("take directories from others, and {} names at a time of large ones", fmt::join(parts, " or ")),
           "by profile");
  }

  std::string threads_text() const {
    if (plan_.least_threads == plan_.most_threads) return std::to_string(plan_.threads);
    return fmt::format("{}, adapting between {} and {}", plan_.threads, plan_.least_threads, plan_.most_threads);
  }

  std::string fix_threads() {
    const ThreadOptions& asked = plan_.options.threads;
    plan_.threads = plan_.least_threads = plan_.most_threads = asked.max_threads.value_or(asked.min_threads);
    return asked.max_threads ? "fixed: --max-threads without auto-tuning" : "fixed: --min-threads without auto-tuning";
  }

  /// The most that any root's profile wants, within what was asked.
  std::string tune_threads() {
    const ThreadOptions& asked = plan_.options.threads;
    const unsigned cpus = calls_.usable_cpus();
    unsigned start = 0, most = 0;
    std::string reason;
    for (const PlannedRoot& root : plan_.roots) {
      const TuningProfile& tuning = tuning_of(root.profile);
      most = std::max(most, tuning.most_threads == 0 ? 4 * cpus : tuning.most_threads);
      const unsigned wanted = tuning.threads == 0 ? cpus : tuning.threads;
      if (wanted <= start) continue;
      start = wanted;
      reason = fmt::format("profile {}: {}", word_of(root.profile), tuning.threads_reason);
    }
    if (start < asked.min_threads) start = asked.min_threads, reason = "--min-threads";
    if (asked.max_threads && start > *asked.max_threads) start = *asked.max_threads, reason = "--max-threads";
    plan_.threads = start;
    plan_.least_threads = std::min(asked.min_threads, start);
    plan_.most_threads = std::max(start, asked.max_threads.value_or(most));
    return reason;
  }

  void limit_threads(unsigned most, const char* why, std::string& reason) {
    if (plan_.threads > most) reason = why;
    plan_.threads = std::min(plan_.threads, most);
    plan_.least_threads = std::min(plan_.least_threads, most);
    plan_.most_threads = std::min(plan_.most_threads, most);
  }

  Result<void> resolve_placement() {
    const ThreadOptions& asked = plan_.options.threads;
    if (asked.cpus_per_thread > 1 && !asked.cpu_affinity)
      return fail(EINVAL, "--cpus-per-thread is for threads that are kept on CPUs, allowed with --cpu-affinity");
    const std::vector<unsigned> usable = calls_.usable_cpu_list();
    const std::vector<Cpu> cpus = read_topology(calls_, usable);
    plan_.places = places_for(cpus, asked);
    drop_places_that_are_refused(usable);
    std::set<unsigned> nodes, cores;
    for (const Cpu& cpu : cpus) nodes.insert(cpu.node), cores.insert(cpu.core);
    const std::string machine = fmt::format("{} CPUs, {} cores, {} NUMA node{} usable", cpus.size(), cores.size(), nodes.size(),
                                            nodes.size() == 1 ? "" : "s");
    decide("CPUs", places_text(), machine);
    plan_.local_memory = asked.prefer_local_numa && nodes.size() > 1 && has_numa_memory();
    explain_memory(nodes.size());
    return {};
  }

  /// Tried with what holds anyhow: a sandbox that refuses that refuses all of them.
  void drop_places_that_are_refused(const std::vector<unsigned>& usable) {
    const ThreadOptions& asked = plan_.options.threads;
    const int error = plan_.places.empty() ? 0 : -calls_.keep_on(usable);
    if (error != 0) plan_.places.clear();
    if (!asked.cpu_affinity || !plan_.places.empty()) return;
    const std::string why = error != 0 ? "sched_setaffinity (" + std::generic_category().message(error) + ")" : "sched_getaffinity";
    plan_.notices.push_back("--cpu-affinity: this kernel or sandbox refuses " + why + "; threads run where the kernel likes");
  }

  void explain_memory(std::size_t nodes) {
    if (plan_.local_memory) return decide("memory", "on each thread's node", "libnuma");
    decide("memory", "as the kernel places it",
           !plan_.options.threads.prefer_local_numa ? "--no-prefer-local-numa"
           : nodes < 2                              ? "there is one NUMA node"
                                                    : "without libnuma");
  }

  std::string places_text() const {
    if (plan_.places.empty()) return "threads run where the kernel likes";
    constexpr std::size_t shown_places = 8;
    std::string text = plan_.options.threads.cpu_affinity ? "threads kept on" : "threads kept on nodes with CPUs";
    for (std::size_t at = 0; at < std::min(plan_.places.size(), shown_places); ++at)
      text += fmt::format(" {}", fmt::join(plan_.places[at].cpus, "+"));
    return text + (plan_.places.size() > shown_places ? " …" : "");
  }

  /// Under each root: who asks the attributes.
  void resolve_backend() {
    const UringUse asked = plan_.options.kernel.use_io_uring;
    const auto threads = [&](std::string why) { decide("backend", "threads", std::move(why)); };
    if (asked == UringUse::off) return threads("--use-io-uring off");
    if (plan_.statx_mask == 0 || !plan_.use_statx) return threads("there is no statx to ask for");
    if (plan_.options.etiquette.max_ops_per_second) return threads("--max-ops-per-second counts their calls");
    bool wanted = asked == UringUse::on;
    for (const PlannedRoot& root : plan_.roots) wanted |= root.error == 0 && tuning_of(root.profile).try_ring;
    if (!wanted) return threads("io_uring is not faster with these profiles");
    if (auto had = calls_.try_uring(); !had) {
      if (asked == UringUse::on) plan_.notices.push_back("--use-io-uring on: " + had.error().message() + "; threads ask instead");
      return threads(had.error().message());
    }
    for (PlannedRoot& root : plan_.roots)
      root.ask_by = asked == UringUse::on ? AskBy::ring : tuning_of(root.profile).try_ring ? AskBy::trial : AskBy::threads;
    if (asked == UringUse::on) return decide("backend", "io_uring", "--use-io-uring on");
    decide("backend", "threads, or io_uring", "decided by a trial on the first block of 64 names");
  }

  struct DescriptorShare {
    std::uint64_t limit = 0;
    unsigned descriptors = 0;         ///< of the limit the walk's
    unsigned beside_directories = 0;  ///< that a worker may hold: readdir's, and a file's that is asked when open
  };

  /// Half of a small limit, all but 1024 of a large one: the rest is for the
  /// transport, its consumers, and whoever embeds us.
  DescriptorShare share_of_descriptors() const {
    constexpr std::uint64_t most = 16'384;
    const std::uint64_t hard = calls_.descriptor_limit().hard;
    const ColumnSet of_open_files{Column::project, Column::stripe_count, Column::stripe_size, Column::pool};
    const bool opens_files = !(plan_.columns & of_open_files).empty();
    return {hard, unsigned(std::clamp<std::uint64_t>(hard - std::min<std::uint64_t>(hard / 2, 1024), 2, most)),
            unsigned(!plan_.use_getdents) + unsigned(opens_files)};
  }

  void resolve_descriptors(const DescriptorShare& share) {
    const unsigned beside = std::min(share.beside_directories * plan_.most_threads, share.descriptors - 2);
    plan_.descriptor_budget = share.descriptors - beside;
    decide("open directories", fmt::format("at most {}", plan_.descriptor_budget),
           fmt::format("hard limit of open files: {}", share.limit));
  }

  void resolve_buffers() {
    const KernelOptions& asked = plan_.options.kernel;
    unsigned kib = 0;
    for (const PlannedRoot& root : plan_.roots) kib = std::max(kib, tuning_of(root.profile).buffer_kib);
    plan_.dirent_buffer_bytes = std::size_t{1024} * asked.readahead_kb.value_or(kib);
    const bool refused = asked.use_getdents && !plan_.use_getdents;
    decide("directories", fmt::format("{} with {} KiB", plan_.use_getdents ? "getdents64" : "readdir", plan_.dirent_buffer_bytes / 1024),
           refused ? kRefusesGetdents : asked.readahead_kb ? "--readahead-kb" : "by profile");
    explain_attributes();
    if (const auto& most = plan_.options.etiquette.max_ops_per_second)
      decide("system calls", fmt::format("at most {} in a second", *most), "--max-ops-per-second");
    const double patience = plan_.options.etiquette.hang_timeout.value;
    decide("hanging directories", patience > 0 ? fmt::format("given up after {:g} s", patience) : "waited for without an end",
           "--hang-timeout");
    decide("access times", asked.use_noatime ? "of directories left alone where that is allowed" : "of directories as the mount has it",
           asked.use_noatime ? "O_NOATIME until it is refused" : "--no-use-noatime");
    decide("waiting directories", fmt::format("{} MiB", plan_.frontier_bytes >> 20),
           "above it a thread goes deep before it goes on");
    decide("batches", fmt::format("{} rows or {} ms", plan_.options.batch.batch_size, plan_.options.batch.batch_age_ms), "");
  }

  bool asks_directories_first() const {
    return std::any_of(plan_.roots.begin(), plan_.roots.end(), [](const PlannedRoot& root) {
      return root.error == 0 && tuning_of(root.profile).directories_first;
    });
  }

  void explain_attributes() {
    if (plan_.options.attributes.resolve_links && !plan_.options.traversal.follow_links)
      decide("links", "asked whether they lead to a directory", "an image is made");
    if (plan_.statx_mask == 0) return decide("attributes", "names and types only", "no column needs a stat");
    if (plan_.use_statx)
      return decide("attributes", fmt::format("statx, mask {:#x}{}", plan_.statx_mask, asks_directories_first() ? ", of directories first" : ""),
                    features_.mount_id ? "smallest mask for the columns" : "this kernel tells no mount ids");
    decide("attributes", "fstatat; btime and mount_id stay unknown",
           plan_.options.kernel.use_statx ? kRefusesStatx : "statx is switched off");
  }

  const sys::Calls& calls_;
  int direct_error_ = 0;  ///< errno of the last attempt
  ScanPlan plan_;
  MountTable mounts_;
  sys::KernelFeatures features_;
};

}  // namespace

schema::BatchLimits ScanPlan::batch_limits(std::size_t most_bytes) const {
  schema::BatchLimits limits;
  limits.rows = std::min(options.batch.batch_size, schema::EntryBatchBuilder::kMaxRows);
  limits.bytes = std::min(limits.bytes, most_bytes);
  return limits;
}

std::string ScanPlan::explain() const {
  std::string text;
  for (const Decision& decision : decisions) {
    text += fmt::format("{:<20} {}", shown(decision.subject), shown(decision.choice));
    if (!decision.reason.empty()) text += fmt::format("  ({})", shown(decision.reason));
    text += '\n';
  }
  return text;
}

Result<ScanPlan> resolve_plan(const ScanOptions& options, const std::vector<std::string>& roots, const sys::Calls& calls) {
  return PlanResolver(options, calls).run(roots);
}

Result<ScanPlan> resolve_plan(const ScanOptions& options, const std::vector<std::string>& roots) {
  return resolve_plan(options, roots, sys::real_calls());
}

}  // namespace pwalk
